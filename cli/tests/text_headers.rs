//! MetaImage and NRRD headers in all the ways that MetaIO and teem read: values, places and numbers of pieces are those of
//! SimpleITK.

use crate::support::environment::oracle_python;
use crate::support::files::folder;
use crate::support::program::script;

#[test]
#[ignore = "needs the oracle's Python (tests/run.sh)"]
fn random_headers_are_read_as_by_simpleitk() {
    let dir = folder();
    let python = oracle_python().expect("VOXLOAD_ORACLE_PYTHON is set by tests/run.sh");
    let arguments = [
        env!("CARGO_BIN_EXE_voxload").as_ref(),
        dir.path(),
        "300".as_ref(),
    ];
    let report = script(&python, "text_headers.py", arguments);
    println!("{report}");
    assert!(report.contains("compared 600, 0 differ"), "{report}");
    for kind in [
        "MetaImage list",
        "MetaImage pattern",
        "NRRD list",
        "NRRD pattern",
    ] {
        let refused = format!("{kind}, refused: ");
        assert!(report.contains(&refused), "{report}");
    }
}
