-- One database for Airflow and one for ML Metadata, each with an owner that sees only its own.
\set ON_ERROR_STOP on
\set airflow_password `cat /run/secrets/airflow_password`
\set metadata_password `cat /run/secrets/metadata_password`

CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE airflow OWNER airflow TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE airflow FROM PUBLIC;

CREATE ROLE waybill LOGIN PASSWORD :'metadata_password';
CREATE DATABASE mlmd OWNER waybill TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE mlmd FROM PUBLIC;
