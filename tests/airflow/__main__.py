"""Makes the environment with Airflow that the tests use, and says where it is."""

from tests.airflow.installation import python

print(python())
