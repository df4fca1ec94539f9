import logging
import logging.handlers

logging.basicConfig(format="%(levelname)s %(name)s %(message)s", level=logging.INFO)
memory = logging.handlers.MemoryHandler(100, target=logging.StreamHandler())
log = logging.getLogger("a.b")
log.addHandler(memory)
log.info("kept until the end")
log.debug("not at all")
logging.getLogger().handlers[0].stream.write("now\n")
