import multiprocessing


class Point:
    def __init__(self, x):
        self.x = x


def double(point):
    return Point(2 * point.x)


with multiprocessing.get_context("fork").Pool(1) as pool:
    print([point.x for point in pool.map(double, [Point(1), Point(2)])])
