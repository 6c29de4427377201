/// Why a stream or a connection ends (RFC 9113 section 7).
enum H2ErrorCode: UInt32 {
    case noError = 0
    case protocolError = 1
    case internalError = 2
    case flowControlError = 3
    case streamClosed = 5
    case refusedStream = 7
    case cancel = 8
    case connectError = 10
    case enhanceYourCalm = 11
    case inadequateSecurity = 12
    case http11Required = 13
}
