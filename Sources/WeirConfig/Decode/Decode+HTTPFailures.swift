extension HTTPRetry {
    init(_ reader: FieldReader) {
        var fields = reader
        attempts = fields.integer("attempts", Int(Int32.min)...Int(Int32.max)) ?? 0
        perTryTimeoutMilliseconds = fields.milliseconds("perTryTimeout")
        retryOn = fields.filledText("retryOn")
        retryRemoteLocalities = fields.flag("retryRemoteLocalities")
        retryIgnorePreviousHosts = fields.flag("retryIgnorePreviousHosts")
        backoffMilliseconds = fields.milliseconds("backoff")
        fields.finish()
    }
}

extension HTTPFaultInjection {
    init(_ reader: FieldReader) {
        var fields = reader
        delay = fields.mapping("delay").map(Delay.init)
        abort = fields.mapping("abort").map(Abort.init)
        fields.finish()
    }
}

extension HTTPFaultInjection.Delay {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        fixedDelayMilliseconds = fields.milliseconds("fixedDelay")
        fields.take("exponentialDelay")?.refuse("Istio never made exponentialDelay work. Write fixedDelay.")
        var legacy: Percent?
        if let value = fields.take("percent"), let percent = value.integer(0...100) {
            legacy = Percent(Double(percent))
            if percent > 0 { value.warn(.deprecated, "percent is deprecated. Write percentage: {value: \(percent)}.") }
        }
        percentage = fields.take("percentage")?.percent() ?? legacy
        fields.finish()
    }
}

extension HTTPFaultInjection.Abort {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        failure = fields.integer("httpStatus", Int(Int32.min)...Int(Int32.max)).map(Failure.httpStatus)
        if let value = fields.take("grpcStatus"), let name = value.text() {
            if failure != nil { value.refuse("An abort has one of httpStatus and grpcStatus. Keep one of them.") }
            failure = .grpcStatus(name)
        }
        fields.take("http2Error")?.refuse("Istio never made http2Error work. Write httpStatus or grpcStatus.")
        percentage = fields.take("percentage")?.percent()
        fields.finish()
    }
}
