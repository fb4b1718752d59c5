def test_it(app, client):
    r=client.get("/docs"); assert r.status_code==200
