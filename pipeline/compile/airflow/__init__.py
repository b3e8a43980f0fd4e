"""The compiled pipeline on Airflow."""
