import calendar
import locale
import time

print([locale.setlocale(c, None) for c in (locale.LC_ALL, locale.LC_CTYPE, locale.LC_NUMERIC)])
print(locale.getpreferredencoding(), locale.getlocale(), locale.localeconv()["decimal_point"])
print(time.strftime("%A %B", time.gmtime(0)), calendar.month_name[3], time.tzname, time.timezone)
print("ß".upper(), sorted("äza"), f"{1234567.891:n}")
