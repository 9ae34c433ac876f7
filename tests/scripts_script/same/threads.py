import atexit
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def late():
    time.sleep(0.1)
    print("thread", __name__, "__file__" in globals(), threading.main_thread().is_alive())


def idle():
    time.sleep(60)


pool = ThreadPoolExecutor(1)  # never shut down by the script
print(pool.submit(int, "3").result())
threading.Thread(target=late).start()
threading.Thread(target=idle, daemon=True).start()
atexit.register(print, "at exit")
print("main ends")
raise ValueError("with a thread at work")
