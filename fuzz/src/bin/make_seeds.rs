//! Writes the seeds, made by the writers of the tests: `cargo run --bin make_seeds FOLDER`.

use std::path::Path;

use voxload::DType;
use voxload_fuzz::nifti::{Nifti, gz};
use voxload_fuzz::seeds;

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    let folder = Path::new(&folder);
    let put = |target: &str, name: &str, parts: &[&[u8]]| {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(name), parts.concat()).expect("a file");
    };
    let pair = |number: u8, files: &[(String, Vec<u8>)]| -> Vec<u8> {
        let beside = |k: usize| files.get(k).map_or(&[][..], |file| &file.1);
        let mut bytes = vec![0, number];
        for part in [beside(1), beside(2)] {
            bytes.extend((part.len() as u16).to_be_bytes());
            bytes.extend(part);
        }
        bytes.extend(&files[0].1);
        bytes
    };
    let named = |name: &str, bytes: Vec<u8>| vec![(name.to_owned(), bytes)];

    let one = Nifti::counting(&[4, 3, 2])
        .scl(2.0, 1.0)
        .extension(6, b"text");
    let two = one.clone().version(2);
    let halves = |nifti: &Nifti| {
        let (header, image) = nifti.pair();
        [named("hdr", header), named("img", image)].concat()
    };
    put(
        "headers_binary",
        "nifti1",
        &[&pair(1, &named("it", one.single()))],
    );
    put("headers_binary", "nifti1-pair", &[&pair(2, &halves(&one))]);
    put(
        "headers_binary",
        "nifti2",
        &[&pair(3, &named("it", two.single()))],
    );
    put("headers_binary", "nifti2-pair", &[&pair(4, &halves(&two))]);
    put(
        "headers_binary",
        "cifti2",
        &[&pair(5, &seeds::cifti().files)],
    );
    put(
        "headers_binary",
        "spm2",
        &[&pair(6, &seeds::analyze().files)],
    );
    put(
        "headers_binary",
        "spm99",
        &[&pair(7, &seeds::analyze().files)],
    );
    put("headers_binary", "mgh", &[&pair(8, &seeds::mgh().files)]);
    put("headers_text", "afni", &[&pair(1, &seeds::afni().files)]);
    put(
        "headers_text",
        "parrec",
        &[&pair(2, &seeds::parrec().files)],
    );
    put("headers_text", "nrrd", &[&pair(3, &seeds::nrrd().files)]);
    put(
        "headers_text",
        "metaimage",
        &[&pair(4, &seeds::mha().files)],
    );
    put(
        "headers_container",
        "minc1",
        &[&pair(1, &seeds::minc().files)],
    );
    put(
        "headers_container",
        "minc2",
        &[&pair(2, &seeds::minc2().files)],
    );
    put(
        "headers_container",
        "ecat",
        &[&pair(3, &seeds::ecat().files)],
    );

    let plain = one.single();
    put("gzip", "file", &[&[0], &gz(&plain, 6)]);
    put(
        "gzip",
        "two-members",
        &[&[0], &gz(&plain[..300], 6), &gz(&plain[300..], 1)],
    );
    let zipped = gz(&plain, 9);
    put("gzip", "deflate", &[&[1], &zipped[10..zipped.len() - 8]]);
    put(
        "gzip",
        "members",
        &[&[2, 1, 3, 1, 1, 1, 2, 100, 200], &plain],
    );

    for kind in 0..6 {
        put(
            "gzip_index",
            &format!("kind{kind}"),
            &[&[kind, 0, 0, 9, 1, 0, 0, 40, 2]],
        );
    }

    for (number, text) in [
        "[..., 1]",
        "[1:3, ::-1]",
        "None, 2, np.newaxis",
        "[-1, ..., :-2:3]",
        "[::, 0:100]",
        "[1_0:, :]",
    ]
    .iter()
    .enumerate()
    {
        put(
            "slices",
            &format!("text{number}"),
            &[&[4 * number as u8], text.as_bytes()],
        );
    }
    put("slices", "items", &[&[7, 3, 0, 4, 8, 16, 248, 1]]);

    put(
        "pairs",
        "nifti",
        &[b"\x02it\x02", &[0, 0, 0], &[1, 0, 1], &[0, 0]],
    );
    put(
        "pairs",
        "zipped",
        &[b"\x02it\x02", &[0, 1, 8], &[1, 1, 9], &[1, 1]],
    );
    put(
        "pairs",
        "afni",
        &[b"\x07it+orig\x02", &[8, 0, 0x12], &[9, 1, 0x1b], &[9, 1]],
    );

    for base in 0..5u8 {
        let changes = [[0, 0, 9, 1], [3, 0, base, 128]].concat();
        put(
            "gzip_parallel",
            &format!("changed{base}"),
            &[&[base, 0], &changes],
        );
        put(
            "gzip_parallel",
            &format!("cut{base}"),
            &[&[base, 3, 0, 1, base]],
        );
    }
    for base in 0..2u8 {
        put("gzip_table", &format!("sound{base}"), &[&[base]]);
        put(
            "gzip_table",
            &format!("changed{base}"),
            &[&[base, 0, 40, 1, 0, 99, 255]],
        );
    }

    let piece = [&[12], &[7; 12][..]].concat();
    let one = [1, 48].into_iter().chain([7; 48]).collect::<Vec<u8>>();
    let four = [&[4], &piece.repeat(4)[..]].concat();
    for (name, format, pieces, header, line) in [
        ("nrrd", 0, &one, seeds::NRRD, "data file: a.raw"),
        (
            "nrrd-list",
            0,
            &four,
            seeds::NRRD,
            "data file: LIST\na\nb\nc\nd",
        ),
        (
            "nrrd-numbered",
            0,
            &four,
            seeds::NRRD,
            "data file: a%d.raw 1 4 1",
        ),
        ("meta", 1, &one, seeds::META, "ElementDataFile = a.raw"),
        (
            "meta-list",
            1,
            &four,
            seeds::META,
            "ElementDataFile = LIST\na\nb\nc\nd",
        ),
    ] {
        let header = format!("{header}{line}\n");
        put("pieces", name, &[&[format], pieces, header.as_bytes()]);
    }

    let file = |text: &str, flags: u8, bytes: &[u8]| {
        [&[flags, text.len() as u8], text.as_bytes(), bytes].concat()
    };
    put("end_to_end", "nifti1", &[&file("[..., 1]", 0, &plain)]);
    put(
        "end_to_end",
        "nifti2-gz",
        &[&file("[::-1, 1:]", 1, &two.single())],
    );
    let float = Nifti::new(DType::F32, &[2, 3], (0..24).collect());
    put(
        "end_to_end",
        "float",
        &[&file("[1, ::2]", 0, &float.single())],
    );
    for seed in [
        seeds::mgh(),
        seeds::nrrd(),
        seeds::mha(),
        seeds::minc(),
        seeds::ecat(),
    ] {
        let name = seed.format.replace(' ', "-");
        put(
            "end_to_end",
            &name,
            &[&file("[..., ::2]", 0, &seed.files[0].1)],
        );
    }
}
