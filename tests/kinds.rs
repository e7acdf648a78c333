//! What goes by the kinds of axes: affines, slicer, canonical order, frames, textures, and NIfTI made of other formats.
//! doc/AXES.md has the rules.

use std::path::Path;

use voxload::AxisKind::{Component, Other, Space, Time};
use voxload::format::Fields;
use voxload::format::nifti::{NiftiHeader, Version};
use voxload::{
    Affine, AxisKind, DType, DataobjImage, ErrorKind, FrameOptions, HostArray, Index, Rgb,
    SaveOptions, SpaceUnit, TimeUnit,
};

use crate::support::folder;

/// A NRRD file of f32 numbers counting up, with these lines in its header.
fn nrrd(folder: &Path, sizes: &[usize], lines: &str) -> DataobjImage {
    let text = format!(
        "NRRD0004\ntype: float\ndimension: {}\nsizes: {}\nendian: little\nencoding: raw\n{lines}\n",
        sizes.len(),
        sizes
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(" "),
    );
    let count = sizes.iter().product::<usize>();
    let voxels = (0..count).flat_map(|n| (n as f32).to_le_bytes());
    let path = folder.join("image.nrrd");
    std::fs::write(&path, text.bytes().chain(voxels).collect::<Vec<u8>>()).unwrap();
    voxload::load(path).unwrap()
}

const VECTORS: &str = "space: left-posterior-superior\nspace directions: none (2,0,0) (0,3,0) (0,0,4)\n\
    kinds: vector domain domain domain\nspace origin: (10,20,30)\n";

const SERIES: &str = "space: right-anterior-superior\nspace directions: none (2,0,0) none (0,3,0) (0,0,-4)\n\
    kinds: vector domain time domain domain\nspace origin: (1,2,3)\n";

fn place(affine: Option<&Affine>, [i, j, k]: [usize; 3]) -> [f64; 3] {
    let affine = affine.expect("an affine");
    std::array::from_fn(|row| {
        let [x, y, z, origin] = affine[row];
        x * i as f64 + y * j as f64 + z * k as f64 + origin
    })
}

fn value(image: &DataobjImage, index: &[usize]) -> f32 {
    let array: HostArray<f32> = image.dataobj().read().unwrap();
    array.view()[index]
}

fn nifti(image: &DataobjImage) -> &NiftiHeader {
    match &image.header().fields {
        Fields::Nifti(nifti) => nifti,
        other => panic!("{other:?}"),
    }
}

fn saved(
    image: &DataobjImage,
    folder: &Path,
    options: &SaveOptions,
) -> (DataobjImage, Vec<String>) {
    let path = folder.join("saved.nii");
    let notes = voxload::save(image, &path, options).unwrap();
    let notes = notes.iter().map(ToString::to_string).collect();
    (voxload::load(path).unwrap(), notes)
}

#[test]
fn vectors_that_are_stored_first_come_last_in_nifti() {
    let folder = folder();
    let image = nrrd(folder.path(), &[3, 4, 5, 6], VECTORS);
    let (nii, notes) = saved(&image, folder.path(), &SaveOptions::new());
    assert_eq!(nii.shape(), [4, 5, 6, 1, 3]);
    assert_eq!(nii.header().axes, [Space, Space, Space, Time, Component]);
    assert_eq!(nifti(&nii).intent_code, 1007);
    assert_eq!(nifti(&nii).pixdim[1..6], [2.0, 3.0, 4.0, 1.0, 1.0]);
    assert_eq!(nii.header().space_unit, SpaceUnit::Millimetre);
    assert_eq!(nii.header().time_unit, TimeUnit::Unknown);
    assert_eq!(place(nii.affine(), [1, 2, 3]), [-12.0, -26.0, 42.0]);
    for component in 0..3 {
        let stored = component + 3 * (1 + 4 * (2 + 5 * 3));
        assert_eq!(value(&nii, &[1, 2, 3, 0, component]), stored as f32);
    }
    assert_eq!(
        notes,
        [
            "dim: the axes (component 3, space 4, space 5, space 6) were written in NIfTI's order: \
          space 4, space 5, space 6, time 1, component 3"
        ]
    );
    // The bytes of a stream are the file's.
    let file = std::fs::read(folder.path().join("saved.nii")).unwrap();
    assert_eq!(image.to_bytes().unwrap(), file);
    // What is in NIfTI's order is left alone.
    let (again, notes) = saved(&nii, folder.path(), &SaveOptions::new());
    assert_eq!((again.shape(), notes.len()), (nii.shape(), 0));
    assert_eq!(nifti(&again).intent_code, 1007);
}

#[test]
fn time_and_others_find_their_places_in_nifti() {
    let folder = folder();
    let row = |sizes: &[usize], lines: &str| {
        let image = nrrd(folder.path(), sizes, lines);
        let (nii, _) = saved(&image, folder.path(), &SaveOptions::new());
        (nii.shape().to_vec(), nifti(&nii).intent_code)
    };
    assert_eq!(row(&[2, 4, 7, 5, 6], SERIES), (vec![4, 5, 6, 7, 2], 1007));
    let gradients = "space: left-posterior-superior\nspace directions: none (2,0,0) (0,3,0) (0,0,4)\n\
        kinds: list domain domain domain\n";
    assert_eq!(row(&[7, 4, 5, 6], gradients), (vec![4, 5, 6, 7], 0));
    let plane = "kinds: domain domain RGB-color\n";
    assert_eq!(row(&[4, 5, 3], plane), (vec![4, 5, 1, 1, 3], 2003));
    let plane = "kinds: RGBA-color domain domain\n";
    assert_eq!(row(&[4, 4, 5], plane), (vec![4, 5, 1, 1, 4], 2004));
    assert_eq!(row(&[4, 5], "kinds: domain domain\n"), (vec![4, 5], 0));
}

#[test]
fn canonical_order_moves_axes_of_space_alone() {
    let folder = folder();
    let image = nrrd(folder.path(), &[2, 4, 7, 5, 6], SERIES);
    let canonical = image.as_closest_canonical().unwrap();
    assert_eq!(canonical.shape(), [2, 4, 7, 5, 6]);
    assert_eq!(canonical.header().axes, image.header().axes);
    for index in [[0, 0, 0, 0, 0], [1, 3, 6, 4, 5], [1, 2, 5, 1, 3]] {
        let [c, x, t, y, z] = index;
        // z was stored downwards.
        assert_eq!(
            value(&canonical, &index),
            value(&image, &[c, x, t, y, 5 - z])
        );
        let there = place(image.affine(), [x, y, 5 - z]);
        assert_eq!(place(canonical.affine(), [x, y, z]), there);
    }
    let vectors = nrrd(folder.path(), &[3, 4, 5, 6], VECTORS);
    let canonical = vectors.as_closest_canonical().unwrap();
    assert_eq!(canonical.affine().unwrap()[0][0], 2.0);
    assert_eq!(
        value(&canonical, &[2, 0, 0, 0]),
        value(&vectors, &[2, 3, 4, 0])
    );
    let plane = nrrd(folder.path(), &[4, 3, 5], "kinds: domain vector domain\n");
    let error = plane.as_closest_canonical().expect_err("two axes of space");
    assert!(matches!(error.kind(), ErrorKind::Shape { .. }), "{error}");
}

#[test]
fn slicer_keeps_axes_of_space_and_follows_them() {
    let folder = folder();
    let image = nrrd(folder.path(), &[2, 4, 7, 5, 6], SERIES);
    let part = image.slicer("[1, 1::2, 3, ::-1]").unwrap();
    assert_eq!(part.shape(), [2, 5, 6]);
    assert_eq!(part.header().axes, [Space; 3]);
    assert_eq!(part.header().zooms, [4.0, 3.0, 4.0]);
    assert_eq!(value(&part, &[1, 4, 2]), value(&image, &[1, 3, 3, 0, 2]));
    assert_eq!(
        place(part.affine(), [1, 4, 2]),
        place(image.affine(), [3, 0, 2])
    );
    for refused in [
        "[:, 0]",
        "[..., 0]",
        "[None]",
        "[:, :, :, None]",
        "[0, 0, 0]",
    ] {
        let error = image.slicer(refused).expect_err(refused);
        assert!(matches!(error.kind(), ErrorKind::Index(_)), "{error}");
    }
    let with_new = image.slicer("[0, ..., None]").unwrap();
    assert_eq!(with_new.header().axes, [Space, Time, Space, Space, Other]);
    // Axes in another order than the file's still have their columns.
    let turned = [4, 0, 3, 1, 2].map(|axis| voxload::AxisDirection {
        axis,
        flipped: axis == 1,
    });
    let turned = image.as_reoriented(&turned).unwrap();
    assert_eq!(turned.header().axes, [Space, Component, Space, Space, Time]);
    assert_eq!(
        value(&turned, &[5, 1, 2, 0, 6]),
        value(&image, &[1, 3, 6, 2, 5])
    );
    assert_eq!(
        place(turned.affine(), [5, 2, 0]),
        place(image.affine(), [3, 2, 5])
    );
}

#[test]
fn frames_are_steps_of_time() {
    let folder = folder();
    let image = nrrd(folder.path(), &[2, 4, 7, 5, 6], SERIES);
    assert_eq!(image.header().frame_axis(), Some(2));
    let frames: Vec<_> = image
        .frames::<f32>(FrameOptions::new().step(3))
        .unwrap()
        .collect();
    let frames: Vec<_> = frames.into_iter().map(|frame| frame.unwrap()).collect();
    assert_eq!(frames.len(), 3);
    for (frame, t) in frames.iter().zip([0, 3, 6]) {
        let index = Index::new().all().all().at(t as i64);
        let right: HostArray<f32> = image.dataobj().slice(index).unwrap();
        assert_eq!((frame.index(), frame.shape()), (t, right.shape()));
        assert_eq!(frame.as_slice(), right.as_slice());
    }
    drop(frames);
    let blocks = image.frames::<f32>(FrameOptions::new().block(4)).unwrap();
    let shapes: Vec<_> = blocks
        .map(|block| block.unwrap().shape().to_vec())
        .collect();
    assert_eq!(shapes, [[2, 4, 5, 6, 4], [2, 4, 5, 6, 3]]);

    let over_time = image.temporal_statistics::<f64>().unwrap();
    assert_eq!(over_time.mean.shape(), [2, 4, 5, 6]);
    let first = over_time.mean.as_slice()[0];
    assert_eq!(first, (0..7).map(|t| 8.0 * f64::from(t)).sum::<f64>() / 7.0);
    // The same of a cached array.
    image.get_fdata::<f64>(voxload::Caching::Fill).unwrap();
    let cached = image.temporal_statistics::<f64>().unwrap();
    assert_eq!(cached.mean.as_slice(), over_time.mean.as_slice());
}

#[test]
fn which_axis_frames_are_counted_along() {
    let of = |axes: &[AxisKind], shape: &[usize]| {
        let mut header = voxload::Header::new(shape, DType::U8);
        header.axes = axes.to_vec();
        header.frame_axis()
    };
    assert_eq!(of(&[Space, Space, Space], &[2, 3, 4]), None);
    assert_eq!(of(&[Space, Space, Space, Time], &[2, 3, 4, 5]), Some(3));
    assert_eq!(of(&[Time, Space, Space, Space], &[5, 2, 3, 4]), Some(0));
    assert_eq!(of(&[Space, Space, Time], &[2, 3, 5]), Some(2));
    assert_eq!(
        of(&[Space, Space, Space, Time, Component], &[2, 3, 4, 1, 3]),
        Some(3)
    );
    assert_eq!(
        of(&[Space, Space, Space, Time, Other], &[2, 3, 4, 1, 6]),
        Some(4)
    );
    assert_eq!(
        of(&[Space, Space, Space, Time, Other], &[2, 3, 4, 5, 6]),
        Some(3)
    );
    assert_eq!(of(&[Other, Space, Space, Space], &[7, 2, 3, 4]), Some(0));
    assert_eq!(of(&[Component, Space, Space, Space], &[3, 2, 3, 4]), None);
    assert_eq!(of(&[Other, Other], &[3, 2]), None);
    assert_eq!(of(&[Time, Other], &[30, 90]), Some(0));
}

#[cfg(feature = "gpu")]
#[test]
fn devices_take_axes_by_kind() {
    use voxload::{StreamOptions, Texels, TextureOptions};
    let folder = folder();
    let image = nrrd(folder.path(), &[2, 4, 7, 5, 6], SERIES);
    let options = TextureOptions::new(Texels::R32Float);
    let volume: HostArray<f32> = image.dataobj().slice("[0, :, 0]").unwrap();
    let texels = image.texels(&options).unwrap();
    assert_eq!(texels.shape, [4, 5, 6]);
    assert_eq!(
        texels.bytes,
        bytemuck::cast_slice::<_, u8>(volume.as_slice())
    );
    if !crate::support::adapter::ready("devices take axes by kind") {
        return;
    }
    let gpu = crate::support::adapter::BEST.as_ref().expect("an adapter");
    let texture = image.texture(gpu, &options).unwrap();
    assert_eq!(texture.shape, [4, 5, 6]);
    let read = crate::support::readback::download_texture(gpu, &texture.texture);
    assert_eq!(read, texels.bytes);
    for cached in [false, true] {
        if cached {
            // The array's frames do not lie one after the other.
            image
                .get_fdata_gpu::<f32>(gpu, voxload::Caching::Fill)
                .unwrap();
        }
        let mut count = 0;
        for frame in image.stream::<f32>(gpu, StreamOptions::new()).unwrap() {
            let frame = frame.unwrap();
            let index = Index::new().all().all().at(frame.index() as i64);
            let right: HostArray<f32> = image.dataobj().slice(index).unwrap();
            assert_eq!(frame.download().unwrap().as_slice(), right.as_slice());
            count += 1;
        }
        assert_eq!(count, 7);
    }
    image.uncache();
    let over_time = image.temporal_statistics_gpu::<f32>(gpu).unwrap();
    let right = image.temporal_statistics::<f32>().unwrap();
    assert_eq!(over_time.std.shape(), [2, 4, 5, 6]);
    assert_eq!(over_time.std.as_slice(), right.std.as_slice());
}

#[test]
fn units_of_time_follow_to_nifti() {
    use crate::formats::seeds;
    let folder = folder();
    let path = seeds::mgh().write(folder.path());
    let image = voxload::load(&path).unwrap();
    assert_eq!(image.header().time_unit, TimeUnit::Millisecond);
    let (nii, _) = saved(&image, folder.path(), &SaveOptions::new());
    let fields = nifti(&nii);
    assert_eq!((fields.pixdim[4], fields.xyzt_units), (1234.0, 2 | 16));

    let path = seeds::parrec().write(folder.path());
    let image = voxload::load(&path).unwrap();
    let (nii, _) = saved(&image, folder.path(), &SaveOptions::new());
    assert_eq!(nii.header().space_unit, SpaceUnit::Millimetre);
    assert_eq!(nii.header().time_unit, image.header().time_unit);
}

#[test]
fn nifti2_where_it_is_asked_for_or_needed() {
    let folder = folder();
    let array = |shape: &[usize]| {
        let count = shape.iter().product();
        let values: Vec<u8> = (0..count).map(|n| (n % 251) as u8).collect();
        DataobjImage::from_array(HostArray::from_vec(shape, values).unwrap(), None).unwrap()
    };
    let small = array(&[2, 3, 4]);
    let (nii, notes) = saved(&small, folder.path(), &SaveOptions::new());
    assert_eq!((nifti(&nii).version, notes.len()), (Version::One, 0));
    let (nii, notes) = saved(&small, folder.path(), &SaveOptions::new().nifti2());
    assert_eq!((nifti(&nii).version, notes.len()), (Version::Two, 0));
    assert_eq!(value(&nii, &[1, 2, 3]), 23.0);
    for shape in [&[2, 40_000, 1][..], &[32_768, 1, 1], &[1, 1, 1, 32_768]] {
        let long = array(shape);
        let (nii, notes) = saved(&long, folder.path(), &SaveOptions::new());
        assert_eq!((nifti(&nii).version, nii.shape()), (Version::Two, shape));
        assert!(
            notes.len() == 1 && notes[0].contains("NIfTI-2"),
            "{notes:?}"
        );
        let (again, notes) = saved(&nii, folder.path(), &SaveOptions::new());
        assert_eq!((nifti(&again).version, notes.len()), (Version::Two, 0));
    }
    let (nii, notes) = saved(&array(&[32_767, 1, 1]), folder.path(), &SaveOptions::new());
    assert_eq!((nifti(&nii).version, notes.len()), (Version::One, 0));
}

#[test]
fn colours_as_channels() {
    let folder = folder();
    let colours: Vec<Rgb> = (0..24u8).map(|n| [n, 100 + n, 200 + n]).collect();
    let array = HostArray::from_vec(&[2, 3, 4], colours).unwrap();
    let in_memory = DataobjImage::from_array(array, None).unwrap();
    let (file, _) = saved(&in_memory, folder.path(), &SaveOptions::new());
    for image in [&in_memory, &file] {
        let channels = voxload::channels(image).unwrap();
        assert_eq!(channels.shape(), [2, 3, 4, 3]);
        assert_eq!(channels.header().axes, [Space, Space, Space, Component]);
        assert_eq!(channels.dataobj().dtype(), DType::U8);
        for channel in 0..3 {
            assert_eq!(
                value(&channels, &[1, 2, 3, channel]),
                (23 + 100 * channel) as f32
            );
        }
        // A part of the colours first, then its channels.
        let part = voxload::channels(&image.slicer("[::-1, 1:, 2:3]").unwrap()).unwrap();
        assert_eq!(part.shape(), [2, 2, 1, 3]);
        assert_eq!(value(&part, &[0, 1, 0, 2]), 217.0);
    }
    let channels = voxload::channels(&file).unwrap();
    let path = folder.path().join("channels.nii");
    voxload::save(&channels, &path, &SaveOptions::new()).unwrap();
    let nii = voxload::load(path).unwrap();
    assert_eq!(nii.shape(), [2, 3, 4, 1, 3]);
    assert_eq!((nifti(&nii).intent_code, nifti(&nii).datatype), (2003, 2));
    let error = voxload::channels(&channels).expect_err("bytes");
    assert!(matches!(error.kind(), ErrorKind::DType { .. }), "{error}");
}
