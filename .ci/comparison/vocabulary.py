"""The words that configurations and requests are made of: few, so that requests meet rules, and chosen for their traps."""

VIRTUAL_HOSTS = ["shop.example.com", "api.example.com", "a.b.example.com", "*.example.com", "*.b.example.com", "*",
                 "other.test", "*.test", "10.1.2.3"]
# What a client may write for each of them; the last ones belong to no host, or to a wildcard only.
HOST_HEADERS = {
    "shop.example.com": ["shop.example.com", "shop.example.com:8080", "SHOP.example.com"],
    "api.example.com": ["api.example.com", "Api.Example.Com:80"],
    "a.b.example.com": ["a.b.example.com"],
    "*.example.com": ["x.example.com", "deep.down.example.com", "X.example.com:1234"],
    "*.b.example.com": ["c.b.example.com", "d.c.b.example.com"],
    "*": ["anything.at.all", "192.168.7.7", "localhost:9999"],
    "other.test": ["other.test", "other.test:443"],
    "*.test": ["third.test"],
    "10.1.2.3": ["10.1.2.3", "10.1.2.3:81"],
}
STRANGE_HOSTS = ["example.com", "shop.example.com.", "b.example.com", "xexample.com", "[::1]:80"]

METHODS = ["GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]

EXACT_PATHS = ["/", "/foo", "/foo/", "/foo/bar", "/api/v1/items", "/login", "/Case/Path", "/a%20b", "/foo%2Fbar"]
PREFIX_PATHS = ["/", "/foo", "/foo/", "/foo/b", "/api", "/api/v1/", "/static/", "/Case", "/a%20", "", "/foo%2F"]
# A pattern with paths that it takes, and with near misses.
PATH_REGEXES = [
    (".*", ["/", "/foo", "/any/thing"], []),
    ("/foo/[0-9]+", ["/foo/1", "/foo/4711"], ["/foo/", "/foo/1/", "/foo/x"]),
    (r".*\.css", ["/static/site.css", "/.css"], ["/static/site.css/", "/static/sitecss"]),
    ("/(foo|bar)(/.*)?", ["/foo", "/bar/x/y", "/foo/"], ["/foobar", "/xfoo"]),
    ("(?i)/case/.*", ["/Case/Path", "/CASE/x"], ["/case"]),
    ("/api/v[12]/.*", ["/api/v1/items", "/api/v2/"], ["/api/v3/items", "/api/v1"]),
    ("/[^/]+/edit", ["/foo/edit", "/x/edit"], ["/foo/bar/edit", "/edit"]),
    ("/foo", ["/foo"], ["/foo/", "/foobar"]),
]
LOOSE_PATHS = ["/", "/foo", "/foobar", "/FOO", "/foo/bar", "/foo/bar/baz", "//foo", "/foo//bar", "/foo/./bar", "/foo/../api",
               "/foo/..", "/../foo", "/%66oo", "/foo%2fbar", "/foo%2Fbar", "/foo/%zz", "/a%20b/c", "/foo\\bar", "/foo;p=1",
               "/api/v1/items/42", "/static/css/site.css", "/foo/%2e%2e/bar", "/foo%5Cbar", "/foo/b%C3%BC", "/case/path",
               "/foo,bar@x:y!$&'()*+=~"]
PATH_TAILS = ["", "/", "/x", "bar", "/bar/baz", "//", "%20", "/a=b"]

HEADER_NAMES = ["x-user", "end-user", "X-Version", "x-flag", "cookie", "user-agent"]
HEADER_VALUES = ["jason", "jane", "v1", "v2", "canary", "Jason", "a b", "1"]
HEADER_REGEXES = [
    ("ja.*", ["jason", "jane", "ja"], ["Jason", "xja"]),
    ("v[12]", ["v1", "v2"], ["v3", "v12"]),
    ("^(.*?;)?(user=jason)(;.*)?$", ["user=jason", "a=b;user=jason", "user=jason;c=d"], ["user=jasons", "xuser=jason"]),
    (".+", ["x", "anything"], []),
    ("(?i)CANARY", ["canary", "Canary"], ["canary1"]),
]

QUERY_NAMES = ["q", "debug", "version", "Q"]
QUERY_VALUES = ["", "1", "true", "v1", "a%20b", "x=y", "a+b"]
QUERY_REGEXES = [("[0-9]+", ["1", "42"], ["", "4x"]), ("v.*", ["v1", "v"], ["xv"]), (".*", ["", "any"], [])]

METHOD_MATCHES = [({"exact": "GET"}, "GET"), ({"exact": "POST"}, "POST"), ({"regex": "GET|PUT"}, "PUT"), ({"prefix": "P"}, "PATCH"),
                  ({"exact": "OPTIONS"}, "OPTIONS"), ({"exact": "HEAD"}, "HEAD")]
AUTHORITY_MATCHES = [{"exact": "shop.example.com"}, {"exact": "shop.example.com:8080"}, {"prefix": "shop."}, {"prefix": "x."},
                     {"regex": ".*:[0-9]+"}, {"regex": "[a-z.]+"}, {"exact": "SHOP.example.com"}]

ORIGINS = ["https://app.example.com", "http://localhost:3000", "https://evil.test", "null"]
ORIGIN_MATCHES = [{"exact": "https://app.example.com"}, {"exact": "*"}, {"prefix": "https://app."}, {"regex": r"https://.*\.example\.com"},
                  {"regex": "http://localhost(:[0-9]+)?"}, {"exact": "null"}]

# Header operations: names and values.
REQUEST_OPERATION_NAMES = ["x-user", "x-added", "X-Version", "user-agent", "accept", "x-empty", "cookie", "x-forwarded-host",
                           "x-envoy-custom"]
RESPONSE_OPERATION_NAMES = ["x-added", "x-backend", "X-From-Route", "cache-control", "content-type", "set-cookie", "x-empty", "vary"]
PLAIN_VALUES = ["one", "two words", "100%%", "a,b", "%%REQ(x-user)%%", "jason"]
REQUEST_VARIABLES = [
    "%DOWNSTREAM_REMOTE_ADDRESS%", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "%DOWNSTREAM_REMOTE_PORT%",
    "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "%DOWNSTREAM_LOCAL_ADDRESS%",
    "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "%DOWNSTREAM_LOCAL_PORT%", "%REQ(x-user)%", "%REQ(X-Version?x-user)%",
    "%REQ(x-user):3%", "%REQ(:path)%", "%REQ(:authority)%", "%REQ(:method)%", "%REQ(:scheme)%", "%REQ(x-absent)%", "%START_TIME%",
    "%START_TIME(%Y-%m)%", "%START_TIME(%s)%", "%PROTOCOL%", "%HOSTNAME%", "%REQUESTED_SERVER_NAME%", "%ROUTE_NAME%",
    "%DOWNSTREAM_PEER_SUBJECT%", "%DOWNSTREAM_TLS_VERSION%", "user=%REQ(x-user)%;of=%PROTOCOL%", "%REQ(x-envoy-original-path?:path)%",
    "%UPSTREAM_HOST%", "%RESPONSE_FLAGS%", "%RESPONSE_CODE%",
]
RESPONSE_VARIABLES = [*REQUEST_VARIABLES, "%RESP(x-up)%", "%RESP(content-type)%", "%UPSTREAM_HOST%", "%UPSTREAM_CLUSTER%", "%RESPONSE_CODE%",
                      "%RESPONSE_FLAGS%", "%RESPONSE_CODE_DETAILS%", "code %RESPONSE_CODE% by %UPSTREAM_CLUSTER%"]

REWRITE_URIS = ["/", "/new", "/new/", "/v2/foo", "/a%20b", ""]
REGEX_REWRITES = [("/foo/(.*)", r"/\1/foo"), ("^/api/v1", "/api/v2"), ("o", "0"), ("/([^/]+)/([^/]+)", r"/\2/\1"), ("^", "/front"),
                  ("[0-9]+", r"<\0>")]
REWRITE_AUTHORITIES = ["inside.example.org", "inside.example.org:8443"]

REDIRECT_URIS = ["/new", "/new/place?with=query", "/"]
REDIRECT_AUTHORITIES = ["elsewhere.example.org", "elsewhere.example.org:8443"]
REDIRECT_PORTS = [80, 443, 8443]

# What a request tells the backend to answer; the last ones meet corsPolicy and header operations.
SCRIPTS = ["status=404", "status=503", "status=500", "status=204", "status=304", "chunked", "header=x-up:from-backend",
           "header=server:other", "header=access-control-allow-origin:https://up.test;header=access-control-expose-headers:x-up",
           "header=x-added:up1;header=x-added:up2", "header=set-cookie:a=1;header=set-cookie:b=2", "status=301;header=location:/there"]
