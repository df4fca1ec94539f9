class D:
    def __del__(self):
        import json
        print(json.dumps([1]), json.__name__)
        import colorsys
        print(colorsys)


d = D()
