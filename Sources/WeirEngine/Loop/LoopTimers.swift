/// The timers of one loop, the earliest first: a heap in one array, so that a source with a timer holds no more than its
/// place in it.
///
/// Knows no clock. Borrows the sources, which leave it before they go. Loop thread only.
struct LoopTimers {
    private struct Entry {
        let moment: UInt64
        let source: Unmanaged<LoopSource>
    }

    private var heap: [Entry] = []

    var count: Int { heap.count }

    /// The earliest moment; `nil` when no source waits.
    var earliest: UInt64? { heap.first?.moment }

    /// Those who wait, in no order.
    var sources: [LoopSource] { heap.map { $0.source.takeUnretainedValue() } }

    /// Has a source wait for a moment, whatever it has waited for before.
    mutating func set(_ source: LoopSource, _ moment: UInt64) {
        let entry = Entry(moment: moment, source: Unmanaged.passUnretained(source))
        let place = Int(source.timerPlace)
        if place < 0 {
            heap.append(entry)
            rise(entry, from: heap.count - 1)
        } else {
            settle(entry, at: place)
        }
    }

    /// The source, if it waits, waits no more.
    mutating func remove(_ source: LoopSource) {
        let place = Int(source.timerPlace)
        guard place >= 0 else { return }
        source.timerPlace = -1
        let last = heap.removeLast()
        if place < heap.count { settle(last, at: place) }
    }

    /// Takes out the earliest source if its moment has come.
    mutating func takeDue(_ now: UInt64) -> Unmanaged<LoopSource>? {
        guard let first = heap.first, first.moment <= now else { return nil }
        first.source._withUnsafeGuaranteedRef { remove($0) }
        return first.source
    }

    // MARK: The heap

    /// Finds the place of an entry for which this one is free.
    private mutating func settle(_ entry: Entry, at place: Int) {
        if place > 0, entry.moment < heap[(place - 1) / 2].moment {
            rise(entry, from: place)
        } else {
            sink(entry, from: place)
        }
    }

    private mutating func rise(_ entry: Entry, from place: Int) {
        var place = place
        while place > 0, entry.moment < heap[(place - 1) / 2].moment {
            put(heap[(place - 1) / 2], at: place)
            place = (place - 1) / 2
        }
        put(entry, at: place)
    }

    private mutating func sink(_ entry: Entry, from place: Int) {
        var place = place
        while true {
            var child = 2 * place + 1
            if child + 1 < heap.count, heap[child + 1].moment < heap[child].moment { child += 1 }
            guard child < heap.count, heap[child].moment < entry.moment else { break }
            put(heap[child], at: place)
            place = child
        }
        put(entry, at: place)
    }

    private mutating func put(_ entry: Entry, at place: Int) {
        heap[place] = entry
        entry.source._withUnsafeGuaranteedRef { $0.timerPlace = Int32(place) }
    }
}
