import CWeir
import Glibc

/// Seconds of clocks; cold code only.
package enum SystemClock {
    /// Seconds of the monotonic clock.
    package static var now: Double { seconds(of: CLOCK_MONOTONIC) }

    /// Seconds since 1970.
    package static var unix: Double { seconds(of: CLOCK_REALTIME) }

    private static func seconds(of clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
