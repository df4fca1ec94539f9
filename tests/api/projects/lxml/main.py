from lxml import etree, html

page = html.fromstring("<ul><li class=a>one<li class='a b'>two &amp; <b>three</b></ul>")
print([e.text_content() for e in page.cssselect("li.a")], etree.tostring(page))
sheet = etree.XSLT(etree.XML(
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
    '<xsl:template match="/"><n><xsl:value-of select="count(//b)"/></n></xsl:template></xsl:stylesheet>'))
print(str(sheet(etree.XML("<a><b/><b/></a>"))))
try:
    etree.XML("<a><b></a>")
except etree.XMLSyntaxError as error:
    print(error)
