import os
import signal
import time

print("lost")
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(5)
