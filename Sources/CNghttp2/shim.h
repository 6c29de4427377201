// The features must be settled before any other header, as in CEvent.
#include <features.h>
#include <nghttp2/nghttp2.h>
