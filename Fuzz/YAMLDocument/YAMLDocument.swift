import Glibc
import WeirConfig

/// Any bytes are decoded or refused with a reason and a line; the run's own limit bounds the time.
@c(LLVMFuzzerTestOneInput)
public func fuzzYAMLDocument(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let file = Array(FuzzInput(bytes, count).rest)
    let decoder = DocumentDecoder()
    var line = 0
    for document in DocumentSplitter.split(file) {
        require(document.firstLine > line, "documents overlap")
        line = document.firstLine
        let result = decoder.decode(document, file: "a.yaml")
        require(!result.unparsable || !result.diagnostics.isEmpty, "unparsable without a reason")
        require(result.refused.isEmpty || !result.diagnostics.isEmpty, "refused without a reason")
        require(result.diagnostics.allSatisfy { $0.location.line >= 1 }, "a finding without a line")
    }
    return 0
}
