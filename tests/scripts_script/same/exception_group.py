def make(kind):
    try:
        raise kind("inside")
    except kind as error:
        return error


raise ExceptionGroup("several", [make(ValueError), ExceptionGroup("more", [make(TypeError)])])
