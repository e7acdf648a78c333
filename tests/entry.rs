//! Promise: every way to an image leads to the same image: names, pairs, file maps, bytes, streams, parts.

use std::io::Read;

use voxload::format::Fields;
use voxload::{
    ByteOrder, Caching, DType, DataobjImage, Extra, FileHolder, FileMap, FileRole, LoadOptions,
    Scaling,
};

use crate::formats::seeds;
use crate::support::errors::outcome;
use crate::support::nifti::{Nifti, gz, gz_with_fields, one, put_real};
use crate::support::source::CountingSource;
use crate::support::{folder, write};

fn nifti() -> Nifti {
    Nifti::counting(&[4, 3, 2]).scl(2.0, 1.0)
}

fn check(image: &DataobjImage) {
    let values = image
        .get_fdata::<f32>(Caching::Unchanged)
        .expect("it can be read");
    assert_eq!(values.shape(), [4, 3, 2]);
    let expected = (0..24).map(|n| n as f32 * 2.0 + 1.0);
    assert!(values.as_slice().iter().copied().eq(expected), "{values:?}");
}

#[test]
fn names_of_single_files() {
    for version in [1, 2] {
        let bytes = nifti().version(version).single();
        for (name, content) in [
            ("a.nii", bytes.clone()),
            ("a.NII", bytes.clone()),
            ("a.nii.gz", gz(&bytes, 6)),
            ("a.nii.gz", gz_with_fields(&bytes)),
            ("A.NII.GZ", gz(&bytes, 0)),
            ("a b.c.nii", bytes.clone()),
            // The content says how a file is compressed.
            ("a.nii", gz(&bytes, 9)),
        ] {
            let dir = folder();
            let path = write(&dir, name, &content);
            let image = voxload::load(&path).unwrap_or_else(|error| panic!("{error}"));
            check(&image);
            assert_eq!(
                image.file_map()[&FileRole::Image].filename.as_ref(),
                Some(&path)
            );
        }
        let dir = folder();
        let plain = voxload::load(write(&dir, "a.nii.gz", &bytes)).expect("plain under a .gz name");
        check(&plain);
        assert_eq!(plain.notes().len(), 1);
    }
}

#[test]
fn either_half_of_a_pair_can_be_named() {
    let mut loaded = 0;
    for version in [1, 2] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let mut pair = nifti().version(version).order(order);
            if order == ByteOrder::Big {
                pair.data = (0..24i16).flat_map(i16::to_be_bytes).collect();
            }
            let (header, image) = pair.pair();
            for (hdr, img) in [
                ("a.hdr", "a.img"),
                ("A.HDR", "A.IMG"),
                ("a.hdr.gz", "a.img.gz"),
            ] {
                let dir = folder();
                let zip = |bytes: &[u8]| match hdr.ends_with("gz") {
                    true => gz(bytes, 6),
                    false => bytes.to_vec(),
                };
                let hdr = write(&dir, hdr, &zip(&header));
                let img = write(&dir, img, &zip(&image));
                for named in [&hdr, &img] {
                    let image = voxload::load(named).unwrap_or_else(|error| panic!("{error}"));
                    check(&image);
                    assert_eq!(
                        image.file_map()[&FileRole::Image].filename.as_ref(),
                        Some(&img)
                    );
                    assert_eq!(
                        image.file_map()[&FileRole::Header].filename.as_ref(),
                        Some(&hdr)
                    );
                    loaded += 1;
                }
            }
        }
    }
    assert_eq!(loaded, 24);
}

#[test]
fn a_pair_with_voxels_after_an_offset() {
    let dir = folder();
    let (mut header, image) = nifti().pair();
    put_real(&mut header, one::VOX_OFFSET, 32.0, ByteOrder::Little);
    let hdr = write(&dir, "a.hdr", &header);
    write(&dir, "a.img", &[&[0xee; 32][..], &image].concat());
    check(&voxload::load(hdr).expect("it loads"));
}

#[test]
fn missing_halves() {
    let (header, image) = nifti().pair();
    let dir = folder();
    let hdr = write(&dir, "only.hdr", &header);
    let loaded = voxload::load(&hdr).expect("a header alone loads, as in nibabel");
    assert_eq!(loaded.shape(), [4, 3, 2]);
    let read = loaded.dataobj().read::<f32>();
    assert_eq!(outcome(&read), "NotFound");
    let error = read.expect_err("there are no voxels");
    assert!(
        error.path().is_some_and(|path| path.ends_with("only.img")),
        "{error}"
    );
    let img = write(&dir, "alone.img", &image);
    let error = voxload::load(&img).expect_err("there is no header");
    assert_eq!(outcome::<()>(&Err(error.clone())), "NotFound");
    assert!(
        error.path().is_some_and(|path| path.ends_with("alone.hdr")),
        "{error}"
    );
}

#[test]
fn bytes_and_streams() {
    for version in [1, 2] {
        let bytes = nifti().version(version).single();
        check(&DataobjImage::from_bytes(bytes.clone()).expect("it loads"));
        check(&DataobjImage::from_bytes(gz(&bytes, 6)).expect("it loads"));
        check(&DataobjImage::from_stream(bytes.as_slice()).expect("it loads"));
        check(&DataobjImage::from_stream(gz(&bytes, 1).as_slice()).expect("it loads"));
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the line is dead"))
        }
    }
    let start = &nifti().single()[..100];
    assert_eq!(
        outcome(&DataobjImage::from_stream(start.chain(Broken))),
        "Io"
    );
    assert_eq!(
        outcome(&DataobjImage::from_stream(start)),
        "Truncated(header)"
    );
    assert_eq!(outcome(&DataobjImage::from_bytes(Vec::new())), "Empty");
}

#[test]
fn file_maps() {
    let options = LoadOptions::new();
    let load = |map| DataobjImage::from_file_map(map, &options);
    let dir = folder();
    let path = write(&dir, "a.nii", &nifti().single());
    check(
        &load(FileMap::from([(
            FileRole::Image,
            FileHolder::from_filename(&path),
        )]))
        .expect("a name"),
    );
    let source = CountingSource::new(nifti().single());
    check(
        &load(FileMap::from([(
            FileRole::Image,
            FileHolder::from_source(source),
        )]))
        .expect("a source"),
    );
    let (header, image) = nifti().pair();
    let holder = |bytes: Vec<u8>| FileHolder::from_source(CountingSource::new(bytes));
    let pair = FileMap::from([
        (FileRole::Header, holder(header.clone())),
        (FileRole::Image, holder(image)),
    ]);
    check(&load(pair).expect("a pair of sources"));
    assert_eq!(outcome(&load(FileMap::new())), "Usage");
    assert_eq!(
        outcome(&load(FileMap::from([(
            FileRole::Image,
            FileHolder::default()
        )]))),
        "Usage"
    );
    assert_eq!(
        outcome(&load(FileMap::from([(FileRole::Header, holder(header))]))),
        "Usage"
    );
    let gone = FileHolder::from_filename(dir.path().join("gone.nii"));
    assert_eq!(
        outcome(&load(FileMap::from([(FileRole::Image, gone)]))),
        "NotFound"
    );
}

/// A holder's position counts for the header and for the voxels (departure 6).
#[test]
fn the_position_of_a_holder() {
    let dir = folder();
    let bytes = nifti().single();
    for content in [bytes.clone(), gz(&bytes, 6)] {
        for pos in [1, 10, 512] {
            let shifted = [vec![0xee; pos], content.clone()].concat();
            let path = write(&dir, "shifted.nii", &shifted);
            let holders = [
                FileHolder::from_filename(&path).at(pos as u64),
                FileHolder::from_source(CountingSource::new(shifted)).at(pos as u64),
            ];
            for holder in holders {
                let map = FileMap::from([(FileRole::Image, holder)]);
                let image = DataobjImage::from_file_map(map, &LoadOptions::new());
                let image = image.expect("it loads");
                check(&image);
                let voxel = image.dataobj().slice::<f64>("[3, 2, 1]");
                assert_eq!(voxel.expect("a voxel").as_slice(), [47.0]);
            }
        }
    }
    let beyond = FileHolder::from_source(CountingSource::new(bytes)).at(1_000_000);
    let beyond = DataobjImage::from_file_map(
        FileMap::from([(FileRole::Image, beyond)]),
        &LoadOptions::new(),
    );
    assert!(beyond.is_err());
}

#[test]
fn edits_of_the_header_do_not_reach_the_voxels() {
    let mut image = DataobjImage::from_bytes(nifti().single()).expect("it loads");
    let header = image.header_mut();
    header.shape = vec![2, 2];
    header.dtype = DType::F64;
    header.data_offset = 0;
    header.byte_order = ByteOrder::Big;
    header.scaling = Scaling::linear(7.0, 7.0);
    assert_eq!(image.shape(), [4, 3, 2]);
    check(&image);
}

#[test]
fn an_image_of_parts() {
    let loaded = DataobjImage::from_bytes(nifti().single()).expect("it loads");
    let mut header = loaded.header().clone();
    header.shape = vec![1, 1];
    let extra = Extra::from([("who".to_owned(), "a test".to_owned())]);
    let dataobj = loaded.dataobj().clone();
    let image = DataobjImage::new(dataobj, header.clone(), extra.clone(), FileMap::new());
    let image = image.expect("it fits");
    assert_eq!(image.header().shape, [4, 3, 2], "the data's shape wins");
    assert_eq!(image.header().zooms.len(), 3);
    assert_eq!(header.shape, [1, 1], "the caller's header is the caller's");
    assert_eq!(image.extra(), &extra);
    assert_eq!(image.affine(), loaded.affine());
    check(&image);
}

#[test]
fn a_proxy_in_another_shape() {
    let image = DataobjImage::from_bytes(nifti().single()).expect("it loads");
    let proxy = image.dataobj();
    let whole = proxy.read::<f32>().expect("it can be read");
    for (shape, found) in [
        (&[24][..], &[24][..]),
        (&[6, -1], &[6, 4]),
        (&[-1, 1, 8], &[3, 1, 8]),
    ] {
        let reshaped = proxy.reshape(shape).expect("it fits");
        assert_eq!(reshaped.shape(), found);
        assert_eq!(
            reshaped.read::<f32>().expect("a read").as_slice(),
            whole.as_slice()
        );
    }
    for shape in [&[5, 5][..], &[-1, -1], &[-1, 7], &[-2, 12], &[]] {
        assert_eq!(outcome(&proxy.reshape(shape)), "Shape", "{shape:?}");
    }
}

/// What was repaired is in the notes.
#[test]
fn notes_of_repaired_headers() {
    let mut bytes = nifti().single();
    put_real(&mut bytes, one::VOX_OFFSET, 0.0, ByteOrder::Little);
    put_real(&mut bytes, one::PIXDIM.nth(2), -2.0, ByteOrder::Little);
    let image = DataobjImage::from_bytes(bytes).expect("it loads");
    check(&image);
    let fields: Vec<_> = image.notes().iter().map(|note| note.field).collect();
    assert_eq!(fields, ["pixdim", "vox_offset"]);
    let sound = DataobjImage::from_bytes(nifti().single()).expect("it loads");
    assert_eq!(sound.notes(), []);
}

#[test]
fn extensions_are_read() {
    for version in [1, 2] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let mut nifti = nifti().version(version).order(order);
            nifti = nifti.extension(6, b"a comment").extension(4, &[7; 1000]);
            if order == ByteOrder::Big {
                nifti.data = (0..24i16).flat_map(i16::to_be_bytes).collect();
            }
            let dir = folder();
            let (header, voxels) = nifti.pair();
            write(&dir, "a.img", &voxels);
            let pair = voxload::load(write(&dir, "a.hdr", &header));
            let single = DataobjImage::from_bytes(nifti.single());
            let zipped = DataobjImage::from_bytes(gz(&nifti.single(), 6));
            for image in [pair, single, zipped] {
                let image = image.expect("it loads");
                check(&image);
                let Fields::Nifti(fields) = &image.header().fields else {
                    panic!("a NIfTI header");
                };
                let found = fields.extensions.iter();
                let found: Vec<_> = found.map(|e| (e.code, e.content.as_slice())).collect();
                assert_eq!(
                    found,
                    [(6, &b"a comment"[..]), (4, &[7; 1000])],
                    "{version}"
                );
                assert_eq!(image.notes(), []);
            }
        }
    }
}

/// What a NRRD or MetaImage header names is found among the caller's own bytes, whatever folder the header names.
#[test]
fn voxels_that_a_header_names_can_be_bytes() {
    for seed in [seeds::nhdr(), seeds::mhd()] {
        let dir = folder();
        let right = voxload::load(seed.write(dir.path())).expect("files");
        let right = right.dataobj().read::<f32>().expect("sound");
        let [(header_name, header), (raw_name, raw)] = seed.files.as_slice() else {
            panic!("two files");
        };
        let other = header_name.replace("seed", "moved");
        let header =
            String::from_utf8_lossy(header).replace(raw_name, &format!("some/where/{raw_name}"));
        let holder = |name: &str, bytes: &[u8]| {
            FileHolder::from_source(CountingSource::new(bytes.to_vec())).named(name)
        };
        let load = |raw: &[u8]| {
            let map = FileMap::from([
                (FileRole::Image, holder(&other, header.as_bytes())),
                (FileRole::Named(0), holder("unrelated.raw", &[1])),
                (FileRole::Named(1), holder(raw_name, raw)),
            ]);
            DataobjImage::from_file_map(map, &LoadOptions::new())
        };
        let image = load(raw).expect("all are given");
        let values = image.dataobj().read::<f32>().expect("sound");
        assert!(values.as_slice() == right.as_slice(), "{header_name}");
        let cut = raw.get(..40).expect("it is longer");
        let error = load(cut).and_then(|image| image.dataobj().read::<f32>());
        assert!(outcome(&error).starts_with("Truncated"), "{error:?}");
        let alone = FileMap::from([(FileRole::Image, holder("x.nhdr", header.as_bytes()))]);
        let error = DataobjImage::from_file_map(alone, &LoadOptions::new())
            .and_then(|image| image.dataobj().read::<f32>());
        assert!(
            error.is_err(),
            "{header_name}: nothing was read from the file system"
        );
    }
}
