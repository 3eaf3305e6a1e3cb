//! The command `cim`.

fn main() -> std::process::ExitCode {
    cim_host::cli::main()
}
