# environment: packages
import exits
