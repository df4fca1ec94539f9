try:
    import not_there_at_all
except ModuleNotFoundError as e:
    print(e, e.name, e.path)
import not_there_at_all.sub
