# with: colorsys.py
import colorsys

print(colorsys.__file__, colorsys.own)
