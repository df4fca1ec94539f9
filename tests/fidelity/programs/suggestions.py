class A:
    blech = None


A().bluch
