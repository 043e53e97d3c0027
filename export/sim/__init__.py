"""A kinematic hand that performs motion scores: landmarks with exact truth, and rendered video of them."""
