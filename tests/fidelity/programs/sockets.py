import select
import socket

a, b = socket.socketpair()
a.send(b"x")
print(select.select([b], [], [], 1)[0] == [b], b.recv(1))
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.family, s.type, socket.gethostname(), socket.getdefaulttimeout())
