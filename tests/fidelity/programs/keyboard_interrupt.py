print("out")
raise KeyboardInterrupt("by hand")
