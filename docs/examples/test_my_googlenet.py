import my_googlenet

from conformance import port


@port("googlenet")
def googlenet():
    return my_googlenet.googlenet()
