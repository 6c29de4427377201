// swift-tools-version: 6.3
import PackageDescription

/// One set of compiler settings for every Swift target: language mode 6, explicit imports, warnings are errors.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// The engine's released code does not check at run time that accesses to a class's properties do not overlap.
///
/// The checks were a third of its instructions for a request (21,300 of which 7,700 went). Debug builds, and with them all
/// tests and sanitizers, keep them.
let engineRelease = SwiftSetting.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))

/// `WEIR_BENCH=1 swift build --scratch-path .build-bench` adds the micro-benchmarks, and to the engine the loops they time.
let benchmarks = Context.environment["WEIR_BENCH"] != nil
let engineBench: [SwiftSetting] = benchmarks ? [.define("WEIR_BENCH")] : []

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

// Dependencies point one way: C fences <- Config, Engine <- Compiler, Sources <- Server <- weir.
// `.ci/check-imports` holds every file to this list.
let package = Package(
    name: "weir",
    products: [.executable(name: "weir", targets: ["weir"])],
    dependencies: [
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // C fences: module maps and thin shims, nothing else.
        .systemLibrary(name: "CEvent", pkgConfig: "libevent_core", providers: [.apt(["libevent-dev"])]),
        .systemLibrary(name: "CCares", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .target(name: "CRE2", cxxSettings: [.unsafeFlags(["-std=c++17"])], linkerSettings: [.linkedLibrary("re2")]),
        .target(name: "CWeir"),

        // Swift modules.
        .target(
            name: "WeirConfig", dependencies: ["CRE2", .product(name: "Yams", package: "Yams")],
            swiftSettings: settings),
        .target(
            name: "WeirEngine", dependencies: ["CEvent", "CNghttp2", "COpenSSL", "CRE2", "CWeir"],
            swiftSettings: settings + [engineRelease] + engineBench),
        .target(name: "WeirCompiler", dependencies: ["WeirConfig", "WeirEngine"], swiftSettings: settings),
        .target(
            name: "WeirSources", dependencies: ["WeirConfig", "WeirEngine", "CCares", "CWeir", logging],
            swiftSettings: settings),
        .target(
            name: "WeirServer",
            dependencies: ["WeirConfig", "WeirEngine", "WeirCompiler", "WeirSources", "CWeir", logging],
            swiftSettings: settings),
        .executableTarget(
            name: "weir",
            dependencies: ["WeirServer", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: settings),

        // Tests.
        .target(name: "WeirTestSupport", dependencies: ["WeirEngine", "COpenSSL", "CWeir"], swiftSettings: settings),
        .testTarget(name: "WeirConfigTests", dependencies: ["WeirConfig"], swiftSettings: settings),
        .testTarget(
            name: "WeirEngineTests", dependencies: ["WeirEngine", "WeirTestSupport", "CWeir"], swiftSettings: settings),
        .testTarget(
            name: "WeirCompilerTests", dependencies: ["WeirCompiler", "WeirConfig", "WeirEngine"],
            swiftSettings: settings),
        .testTarget(
            name: "WeirSourcesTests", dependencies: ["WeirSources", "WeirConfig", "WeirEngine", "WeirTestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "WeirServerTests",
            dependencies: [
                "weir", "WeirServer", "WeirCompiler", "WeirConfig", "WeirEngine", "WeirSources", "WeirTestSupport",
                "CWeir",
                logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "WeirEndToEndTests",
            dependencies: [
                "WeirServer", "WeirEngine", "WeirTestSupport", "weir", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings),
    ]
        + (benchmarks
            ? [
                .executableTarget(
                    name: "weir-bench-micro", dependencies: ["WeirEngine"], path: "Benchmarks/micro",
                    swiftSettings: settings)
            ] : [])
)
