private import CWeir
import Glibc

/// Seconds of clocks; cold code only.
package enum SystemClock {
    /// Seconds of the monotonic clock.
    package static var now: Double { weir_clock_seconds(CLOCK_MONOTONIC) }

    /// Seconds since 1970.
    package static var unix: Double { weir_clock_seconds(CLOCK_REALTIME) }
}
