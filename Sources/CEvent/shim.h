// Debian's event2/event-config.h defines _GNU_SOURCE; the features must be settled before any other header.
#include <features.h>
#include <event2/event.h>
#include <event2/event_struct.h>
