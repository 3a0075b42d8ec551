-- The three roles and the database, made once by a superuser:
--
--     DATABASE_NAME=governance DATABASE_OWNER=governance_owner DATABASE_OWNER_PASSWORD=… \
--     DATABASE_APP=governance_app DATABASE_APP_PASSWORD=… \
--     DATABASE_SEALER=governance_sealer DATABASE_SEALER_PASSWORD=… psql -v ON_ERROR_STOP=1 -f roles.sql postgres
--
-- From the environment, because a command line is read by everybody on the machine. psql 15 or newer.
\getenv database DATABASE_NAME
\getenv owner DATABASE_OWNER
\getenv owner_password DATABASE_OWNER_PASSWORD
\getenv app DATABASE_APP
\getenv app_password DATABASE_APP_PASSWORD
\getenv sealer DATABASE_SEALER
\getenv sealer_password DATABASE_SEALER_PASSWORD

-- None is a superuser or passes by row-level security: web and workers refuse to start as such a role.
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password' NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE ROLE :"app" LOGIN PASSWORD :'app_password' NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
-- Seals the audit trail and may do nothing else; left out where its name is not given: the owner seals then.
\if :{?sealer}
CREATE ROLE :"sealer" LOGIN PASSWORD :'sealer_password' NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
\endif
CREATE DATABASE :"database" OWNER :"owner" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
-- TEMPORARY: an import copies into a temporary table, because COPY is refused under row-level security.
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"app";
\if :{?sealer}
GRANT CONNECT ON DATABASE :"database" TO :"sealer";
\endif
