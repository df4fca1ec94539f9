import sqlite3

import watch

watch.run()
db = sqlite3.connect("a.db")
db.execute("create table t (a)")
db.commit()
db.execute("insert into t values (1)")
