from flask import Flask, jsonify, render_template_string, request

app = Flask(__name__)


@app.route("/add", methods=["POST"])
def add():
    return jsonify(total=sum(request.get_json()["numbers"]))


@app.route("/hello/<name>")
def hello(name):
    return render_template_string("Hello, {{ name|upper }} & {{ '<b>' }}!", name=name)


with app.test_client() as client:
    print(client.post("/add", json={"numbers": [1, 2, 3]}).get_data(as_text=True))
    print(client.get("/hello/world").get_data(as_text=True), client.get("/none").status)
    print(sorted(str(rule) for rule in app.url_map.iter_rules()))
