import pytest

import farmhash

# As computed by pyfarmhash 0.3.2; each length takes another branch of the algorithm.
EXPECTED = {
    "": (3696677242, 11160318154034397263),
    "a": (1016544589, 12917804110809363939),
    "fare": (3196161433, 15931305811881033188),
    "trip_miles": (4206711634, 7332135714719751006),
    "payment_type": (2946056263, 5403427876313944272),
    "pickup_community_area": (1523272727, 9670583753613315476),
    "dropoff_census_tract_of_the_trip": (1494598040, 7320330435450847555),
    "é ñ 日本": (1859504835, 8056277200527154137),
    "the quick brown fox jumps over the lazy dog": (2669486589, 12423751071000433619),
    "a" * 64: (3095623862, 5893282057753879417),
    "chicago taxi trips, " * 7: (2042498689, 5272704079270399087),
}


@pytest.mark.parametrize("text", EXPECTED)
def test_fingerprints_are_those_of_the_compiled_package(text):
    assert (farmhash.fingerprint32(text), farmhash.fingerprint64(text)) == EXPECTED[text]
