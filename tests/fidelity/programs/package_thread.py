# environment: packages
import threads

print(threads.result())
