/// The version of this build, as `weir version` and `/status` tell it.
package let weirVersion = "0.1.0"
