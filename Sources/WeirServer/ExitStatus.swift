/// How a command ends; what scripts and supervisors act on (sysexits.h where it has a number).
package enum ExitStatus: Int32, Sendable {
    case success = 0
    /// Something failed while running; a busy port is named in the log.
    case failure = 1
    /// The command line is wrong.
    case usage = 64
    /// No usable configuration at start.
    case configuration = 78
    /// The analysis found problems.
    case findings = 79
}
