import atexit
import threading
from concurrent.futures import ThreadPoolExecutor


def late():
    threading.main_thread().join()
    print("thread", __name__, "__file__" in globals(), threading.main_thread().is_alive())


def idle():
    threading.Event().wait()


pool = ThreadPoolExecutor(1)  # never shut down by the script
print(pool.submit(int, "3").result())
threading.Thread(target=late).start()
threading.Thread(target=idle, daemon=True).start()
atexit.register(print, "at exit")
print("main ends")
raise ValueError("with a thread at work")
