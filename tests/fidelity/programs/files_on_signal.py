import signal

import watch

watch.run()
f = open("f.txt", "w")
f.write("lost")
signal.raise_signal(signal.SIGTERM)
