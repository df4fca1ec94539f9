import sys

import yaml
from dateutil import parser, rrule
from jinja2 import Environment
from tabulate import tabulate

data = yaml.safe_load("items: [{n: 1, s: 'ž'}, {n: 2, s: !!str 3}]\nwhen: 2024-02-29\n")
print(data, yaml.CSafeLoader.__name__, yaml.dump(data, allow_unicode=True))
print(tabulate(data["items"], headers="keys", tablefmt="grid"))
print(Environment(trim_blocks=True).from_string("{% for i in items %}\n{{ i.n }}:{{ i.s }};{% endfor %}").render(data))
print(list(rrule.rrule(rrule.MONTHLY, count=3, dtstart=parser.parse("31 Jan 2024 10:00"))))
sys.exit(len(data["items"]) + 3)
