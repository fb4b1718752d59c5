from tests.support.factories import make_user, make_wallet, balance_of
def test_it(app, client, rows, publish, run_due_jobs):
    u=make_user(app); w=make_wallet(app,u,balance="10.00")
    assert balance_of(app,u,w)=="10.00"
    publish(); run_due_jobs()
    assert rows("select count(*) from users")[0][0]==1
    assert client.get("/nope").status_code==404
