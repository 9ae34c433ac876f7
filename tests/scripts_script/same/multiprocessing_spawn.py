import multiprocessing
import pickle
import sys


class Point:
    def __init__(self, x):
        self.x = x


def double(point):
    return Point(2 * point.x), __name__, sys.argv, sorted(n for n in sys.modules if n.startswith("inspector"))


if __name__ == "__main__":
    print(pickle.loads(pickle.dumps(Point(3))).x, pickle.dumps(Point(3)))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        point, *rest = pool.apply(double, (Point(2),))
        print(point.x, rest)
