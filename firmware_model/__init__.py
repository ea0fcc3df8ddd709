"""The controller: e-4ORCE torque vectoring and the battery discharge limiter, as pure compiled kernels.

Nothing in this package knows a clock, a thread, a file or a bus. Time is an argument, frames are somebody else's business.
"""
