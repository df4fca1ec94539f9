class Leave(SystemExit):
    code = 5


try:
    raise Leave("not the code")
finally:
    print("finally")
