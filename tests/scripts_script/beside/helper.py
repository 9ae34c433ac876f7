import inspector

print("helper sees", inspector.WHOSE)
