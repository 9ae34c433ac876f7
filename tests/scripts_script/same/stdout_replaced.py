import sys


class Odd:
    def write(self, text):
        sys.__stdout__.write(text.upper())

    def flush(self):
        raise RuntimeError("cannot")


sys.stdout = sys.stderr = Odd()
print("words")
raise ValueError("said in capitals")
