own = "the one beside main.py"
