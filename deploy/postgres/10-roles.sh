#!/bin/sh
# Run once by the postgres image, on an empty volume: the owner of the tables, and the role requests run as.
# The passwords come from the environment by \getenv, so they are on no command line.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv owner_password MALIPO_OWNER_PASSWORD
\getenv app_password MALIPO_APP_PASSWORD
\getenv database POSTGRES_DB
CREATE ROLE malipo_owner LOGIN NOSUPERUSER NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE malipo_app LOGIN NOSUPERUSER NOCREATEROLE PASSWORD :'app_password';
ALTER DATABASE :"database" OWNER TO malipo_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO malipo_app;
SQL
