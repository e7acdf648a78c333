//! The public surface: what an index can be, reads into the caller's buffers, arrays and files behind one type, errors with
//! their causes, and the traits that others count on.

mod nibabel;

use std::error::Error as _;
use std::sync::Arc;

use half::f16;
use ndarray::s;
use voxload::{
    ArrayProxy, ByteOrder, Caching, DType, DataobjImage, Element, Error, ErrorKind, FileRole,
    HostArray, Index, IndexItem, ProxySpec, Result, SaveOptions, Scaling, StoredArray, Value, c64,
    c128,
};

use crate::support::errors::outcome;
use crate::support::rng::Rng;
use crate::support::source::CountingSource;
use crate::support::{folder, write};

fn counting(shape: &[usize]) -> DataobjImage {
    let count: usize = shape.iter().product();
    let array = HostArray::from_vec(shape, (0..count as i32).collect()).expect("it fits");
    DataobjImage::from_array(array, None).expect("it fits")
}

#[test]
fn an_index_is_whatever_can_become_one() {
    let image = counting(&[5, 4, 3]);
    let data = image.dataobj();
    let wanted = data.slice::<f32>("[1:3, 2, 0]").expect("a slice");
    assert_eq!(wanted.as_slice(), [11.0, 12.0]);
    let same = |found: Result<HostArray<f32>>| assert_eq!(found.expect("a slice"), wanted);
    let text = "1:3, 2, 0".to_owned();
    same(data.slice(&text));
    same(data.slice(text));
    let index = Index::new().range(1..3).at(2).at(0);
    same(data.slice(&index));
    same(data.slice(index));
    same(data.slice(s![1..3, 2, 0]));
    let borrowed = &s![1..3, 2, 0];
    same(data.slice(borrowed));
    same(data.slice((1..3, 2, 0)));
    same(data.slice((1..3usize, 2i64, 0isize)));
    same(data.sliced((.., 2, 0)).and_then(|part| part.slice(1..3)));
    same(
        data.sliced("[:, 2]")
            .and_then(|part| part.slice((1..3, IndexItem::At(0)))),
    );

    let shape = |part: Result<ArrayProxy>| part.expect("a part").shape().to_vec();
    assert_eq!(shape(data.sliced(4)), [4, 3]);
    assert_eq!(shape(data.sliced(-1i64)), [4, 3]);
    assert_eq!(shape(data.sliced(4usize)), [4, 3]);
    assert_eq!(shape(data.sliced(2..)), [3, 4, 3]);
    assert_eq!(shape(data.sliced(..2)), [2, 4, 3]);
    assert_eq!(shape(data.sliced(..)), [5, 4, 3]);
    assert_eq!(shape(data.sliced((0, .., -2..))), [4, 2]);
    assert_eq!(shape(data.sliced((0,))), [4, 3]);
    assert_eq!(
        shape(data.sliced(s![.., ..;2, ndarray::NewAxis, 0])),
        [5, 2, 1]
    );

    for refused in ["[5]", "[..., x]", "[", "0, 0, 0, 0"] {
        assert_eq!(outcome(&data.slice::<f32>(refused)), "Index", "{refused}");
        assert_eq!(outcome(&data.sliced(refused)), "Index", "{refused}");
        assert_eq!(outcome(&image.slicer(refused)), "Index", "{refused}");
    }
    // No axis is that long: out of range, not another position.
    assert_eq!(outcome(&data.sliced(usize::MAX)), "Index");
    assert_eq!(shape(data.sliced(1..usize::MAX)), [4, 4, 3]);
    assert_eq!(
        shape(image.slicer("[1:, ::2]").map(|part| part.dataobj().clone())),
        [4, 2, 3]
    );
}

/// Calls a function for the type that a [`DType`] names.
macro_rules! typed {
    ($dtype:expr, $function:ident($($argument:expr),*)) => {
        match $dtype {
            DType::U8 => $function::<u8>($($argument),*),
            DType::I8 => $function::<i8>($($argument),*),
            DType::U16 => $function::<u16>($($argument),*),
            DType::I16 => $function::<i16>($($argument),*),
            DType::U32 => $function::<u32>($($argument),*),
            DType::I32 => $function::<i32>($($argument),*),
            DType::U64 => $function::<u64>($($argument),*),
            DType::I64 => $function::<i64>($($argument),*),
            DType::F16 => $function::<f16>($($argument),*),
            DType::F32 => $function::<f32>($($argument),*),
            DType::F64 => $function::<f64>($($argument),*),
            DType::C64 => $function::<c64>($($argument),*),
            DType::C128 => $function::<c128>($($argument),*),
            DType::Rgb24 => $function::<[u8; 3]>($($argument),*),
            DType::Rgba32 => $function::<[u8; 4]>($($argument),*),
        }
    };
}

fn buffer<T: Element>(part: &ArrayProxy) -> Vec<T> {
    vec![T::zeroed(); part.shape().iter().product()]
}

/// Reads into buffers of `T`: the bits of the array that is returned otherwise, or an error that names both types. Gives how
/// many were compared.
fn into_buffers<T: Element>(part: &ArrayProxy) -> usize {
    type Into<T> = fn(&ArrayProxy, &mut [T]) -> Result<()>;
    let ways: [(DType, Result<StoredArray>, Into<T>); 2] = [
        (part.native_dtype(), part.native(), ArrayProxy::native_into),
        (part.dtype(), part.unscaled(), ArrayProxy::unscaled_into),
    ];
    let mut compared = 0;
    for (dtype, array, into) in ways {
        let mut out = buffer::<T>(part);
        let filled = into(part, &mut out);
        if T::DTYPE != dtype {
            let error = filled.expect_err("a buffer of another type");
            let ErrorKind::DType { stored, wanted } = error.kind() else {
                panic!("{error}");
            };
            assert_eq!(stored, part.dtype().name());
            assert!(
                wanted.contains(T::DTYPE.name()) && wanted.ends_with(dtype.name()),
                "{error}"
            );
            continue;
        }
        assert_eq!(outcome(&filled), outcome(&array));
        let Ok(array) = array else { continue };
        assert_eq!(array.dtype(), dtype);
        assert!(
            bytemuck::cast_slice::<T, u8>(&out) == array.as_bytes(),
            "{dtype}"
        );
        out.push(T::zeroed());
        assert_eq!(outcome(&into(part, &mut out)), "Shape");
        compared += 1;
    }
    compared
}

/// Reads values of `T`, in both ways.
fn values_into<T: Value>(part: &ArrayProxy) -> usize {
    let mut out = buffer::<T>(part);
    let filled = part.read_into(&mut out);
    let array = part.read::<T>();
    assert_eq!(outcome(&filled), outcome(&array));
    let Ok(array) = array else { return 0 };
    assert_eq!(array.shape(), part.shape());
    let (found, wanted): (&[u8], &[u8]) = (
        bytemuck::cast_slice(&out),
        bytemuck::cast_slice(array.as_slice()),
    );
    assert!(found == wanted, "{} as {}", part.dtype(), T::DTYPE);
    out.push(T::zeroed());
    assert_eq!(outcome(&part.read_into(&mut out)), "Shape");
    1
}

/// Every stored type, in both orders, scaled and not, whole and in part, of a file and of an array in memory.
#[test]
fn reads_into_buffers_are_the_reads_that_allocate() {
    let mut rng = Rng::new(71);
    let shape = [7, 5, 3];
    let (mut stored, mut values) = (0, 0);
    for dtype in DType::ALL {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for scaling in [Scaling::none(), Scaling::linear(0.3, -7.0)] {
                let data = rng.bytes(105 * dtype.size_bytes());
                let spec = ProxySpec::new(&shape, dtype)
                    .byte_order(order)
                    .scaling(scaling);
                let file = ArrayProxy::new(CountingSource::new(data), spec).expect("it fits");
                let array = ArrayProxy::from(file.unscaled().expect("stored numbers"));
                for proxy in [&file, &array] {
                    for index in ["[...]", "[::-2, 1:, 2]", "[3, 4, 1]", "[:0]"] {
                        let part = proxy.sliced(index).expect("a part");
                        for wanted in DType::ALL {
                            stored += typed!(wanted, into_buffers(&part));
                        }
                        values += values_into::<f16>(&part) + values_into::<f32>(&part);
                        values += values_into::<f64>(&part) + values_into::<c64>(&part);
                        values += values_into::<c128>(&part);
                    }
                }
            }
        }
    }
    // Scaled colours of files have no native values.
    assert_eq!(stored, (15 * 2 * 2 * 2 * 2 - 2 * 2) * 4);
    assert_eq!(values, 13 * 2 * 2 * 2 * 4 * 5);
}

#[test]
fn arrays_in_memory_are_read_as_numpy_casts_them() {
    // f32 cannot hold it; by way of f64 it is rounded twice, to another number.
    let value = (1i64 << 60) + (1 << 36) + 1;
    let once = value as f32;
    assert_ne!(once, value as f64 as f32);
    let array = HostArray::from_vec(&[1, 2], vec![value, -value]).expect("it fits");
    let proxy = ArrayProxy::from(array.clone());
    assert_eq!(proxy.as_array(), Some(&StoredArray::I64(array.clone())));
    assert_eq!(proxy.native_dtype(), DType::I64);
    assert_eq!(*proxy.spec(), ProxySpec::new(&[1, 2], DType::I64));
    let mut out = [0f32; 2];
    proxy.read_into(&mut out).expect("it fits");
    assert_eq!(out, [once, -once]);
    assert_eq!(proxy.read::<f32>().expect("values").as_slice(), out);
    assert_eq!(
        proxy.slice::<f32>("[0, 1]").expect("a value").as_slice(),
        [-once]
    );
    let part = proxy.sliced("[:, :1]").expect("a part");
    assert_eq!(part.read::<f32>().expect("a value").as_slice(), [once]);
    assert_eq!(part.as_array().map(StoredArray::shape), Some(&[1, 1][..]));
    assert_eq!(outcome(&proxy.read_into(&mut [0f32; 3])), "Shape");
    let reshaped = proxy.reshape(&[-1]).expect("another shape");
    assert_eq!(reshaped.as_array().map(StoredArray::shape), Some(&[2][..]));
    assert_eq!(reshaped.read::<f32>().expect("values").as_slice(), out);
    assert_eq!(outcome(&proxy.reshape(&[3])), "Shape");

    let floats = HostArray::from_vec(&[2], vec![1.5f32, -2.0]).expect("it fits");
    let proxy = ArrayProxy::from(floats.clone());
    assert!(
        proxy
            .read::<f32>()
            .expect("itself")
            .shares_memory_with(&floats)
    );
    let complex: HostArray<c64> = proxy.read().expect("values");
    assert_eq!(
        complex.as_slice(),
        [c64::new(1.5, 0.0), c64::new(-2.0, 0.0)]
    );

    // A file's have no array, and go by way of f64.
    let spec = ProxySpec::new(&[1], DType::I64).byte_order(ByteOrder::Little);
    let source = CountingSource::new(value.to_le_bytes().to_vec());
    let file = ArrayProxy::new(source, spec).expect("it fits");
    assert!(file.as_array().is_none());
    let mut out = [0f32];
    file.read_into(&mut out).expect("it fits");
    assert_eq!(out, [value as f64 as f32]);
}

/// What an index selects is known without a read, and only its bytes are read.
#[test]
fn a_part_of_a_file_is_described_without_reading() {
    let source = CountingSource::new(vec![1; 64 * 32 * 2]);
    let spec = ProxySpec::new(&[64, 32], DType::I16).scaling(Scaling::linear(2.0, 0.0));
    let proxy = ArrayProxy::new(Arc::clone(&source) as _, spec).expect("it fits");
    let part = proxy.sliced("[:, 3]").expect("a part");
    assert_eq!((part.shape(), part.dtype()), (&[64][..], DType::I16));
    assert_eq!(part.native_dtype(), DType::F64);
    assert_eq!(part.spec().shape, [64, 32]);
    let again = part.sliced(10..20).expect("a part of it");
    assert_eq!(again.shape(), [10]);
    assert_eq!(source.bytes_read(), 0);
    again.read::<f32>().expect("values");
    assert_eq!(source.bytes_read(), 20);
    assert_eq!(outcome(&part.reshape(&[8, 8])), "Usage");
}

#[test]
fn errors_keep_their_cause() {
    let missing = voxload::load("no/such/file.nii").expect_err("it is not there");
    assert_eq!(*missing.kind(), ErrorKind::NotFound);
    let cause = missing.source().expect("the system's error");
    let cause: &std::io::Error = cause.downcast_ref().expect("an io::Error");
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
    let clone = missing.clone();
    assert_eq!(
        clone.source().map(ToString::to_string),
        Some(cause.to_string())
    );

    let denied = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "not yours");
    let error = Error::from(denied);
    let kind = ErrorKind::Io {
        offset: 0,
        kind: std::io::ErrorKind::PermissionDenied,
        message: "not yours".to_owned(),
    };
    assert_eq!(*error.kind(), kind);
    assert!(error.source().is_some());
    // An error of ours that went through `std::io` comes back whole.
    let own = Error::from(ErrorKind::FramesHeld(3));
    let back = Error::from(std::io::Error::other(own));
    assert_eq!(*back.kind(), ErrorKind::FramesHeld(3));
    assert!(back.source().is_none());

    fn reads(mut stream: impl std::io::Read) -> Result<u8> {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }
    assert_eq!(reads(&[7u8][..]).expect("a byte"), 7);
    let end = reads(&[][..]).expect_err("the end");
    assert!(matches!(
        end.kind(),
        ErrorKind::Io {
            kind: std::io::ErrorKind::UnexpectedEof,
            ..
        }
    ));
}

#[test]
fn types_are_parsed_by_their_names() {
    for dtype in DType::ALL {
        assert_eq!(dtype.name().parse::<DType>().expect("a name"), dtype);
    }
    for unknown in ["", "int17", "Int16", "i2", " int16"] {
        assert_eq!(outcome(&unknown.parse::<DType>()), "Usage", "{unknown:?}");
    }
}

#[test]
fn arrays_are_compared_and_converted() {
    let array = HostArray::from_vec(&[2, 3], (0..6i16).collect()).expect("it fits");
    assert_eq!(
        array,
        HostArray::from_vec(&[2, 3], vec![0, 1, 2, 3, 4, 5]).expect("it fits")
    );
    assert_ne!(array, array.clone().reshape(&[3, 2]).expect("it fits"));
    assert_ne!(
        array,
        HostArray::from_vec(&[2, 3], vec![0, 1, 2, 3, 4, 6]).expect("it fits")
    );
    let nan = HostArray::from_vec(&[1], vec![f32::NAN]).expect("it fits");
    assert_ne!(nan, nan.clone());
    let stored = StoredArray::from(array.clone());
    assert_eq!(stored, StoredArray::I16(array.clone()));
    assert_ne!(
        stored,
        StoredArray::U8(HostArray::from_vec(&[0], vec![]).expect("it fits"))
    );

    assert_eq!(AsRef::<[i16]>::as_ref(&array), array.as_slice());
    let mut sum = 0;
    for value in &array {
        sum += value;
    }
    assert_eq!(sum, 15);
    let owned: ndarray::ArrayD<i16> = array.clone().into();
    assert_eq!(owned.view(), array.view());
    assert_eq!(owned[[1, 2]], 5);
    assert_eq!(HostArray::from(owned), array);
}

#[test]
fn saving_names_the_files_where_nibabel_does() {
    let folder = folder();
    let first = folder.path().join("a.nii");
    let mut image = counting(&[3, 2, 2]);
    voxload::save(&image, &first, &SaveOptions::new()).expect("a saved file");
    assert!(
        image.file_map().is_empty(),
        "`save` leaves the image as it is"
    );
    image
        .to_filename(folder.path().join("b.hdr"))
        .expect("a saved pair");
    let names: Vec<_> = image
        .file_map()
        .iter()
        .map(|(role, holder)| (*role, holder.filename.clone().expect("a name")))
        .collect();
    let named = |name| folder.path().join(name);
    let wanted = [
        (FileRole::Image, named("b.img")),
        (FileRole::Header, named("b.hdr")),
    ];
    assert_eq!(names, wanted);
    assert_eq!(outcome(&image.to_filename(named("c.mgz"))), "UnknownFormat");
    assert_eq!(
        image.file_map().len(),
        2,
        "what could not be written is not named"
    );
    let again = voxload::load(&first).expect("the file");
    let values = |image: &DataobjImage| image.get_fdata::<f64>(Caching::Fill).expect("values");
    assert_eq!(values(&again), values(&image));
}

/// One place for the affine: the header's.
#[test]
fn the_affine_is_the_headers() {
    let mut image = counting(&[3, 2, 2]);
    assert_eq!(image.affine(), None);
    let affine = [
        [-2.0, 0.0, 0.0, 4.0],
        [0.0, 3.0, 0.0, -1.0],
        [0.0, 0.0, 4.0, 0.5],
        [0.0, 0.0, 0.0, 1.0],
    ];
    image.header_mut().set_sform(&affine, 2);
    assert_eq!(image.affine(), Some(&affine));
    assert_eq!(outcome(&image.header_mut().set_qform(&affine, 1)), "Usage");
    image.header_mut().set_data_dtype(DType::F64);
    let saved = DataobjImage::from_bytes(image.to_bytes().expect("bytes")).expect("an image");
    assert_eq!(saved.affine(), Some(&affine));
    assert_eq!(saved.dataobj().dtype(), DType::F64);
    let part = saved.slicer("[1:]").expect("a part");
    assert_eq!(part.affine().map(|affine| affine[0][3]), Some(2.0));
}

/// Complex values are read, cached and edited by the same calls.
#[test]
fn complex_values_by_the_same_calls() {
    let stored: Vec<c64> = (0..6).map(|n| c64::new(n as f32, -0.5)).collect();
    let array = HostArray::from_vec(&[3, 2], stored.clone()).expect("it fits");
    let image = DataobjImage::from_array(array, None).expect("it fits");
    let folder = folder();
    let path = write(&folder, "complex.nii", &image.to_bytes().expect("bytes"));
    let mut file = voxload::load(path).expect("the file");
    let wide = file.get_fdata::<c128>(Caching::Fill).expect("values");
    assert_eq!(wide.as_slice()[4], c128::new(4.0, -0.5));
    assert!(
        file.get_fdata::<c128>(Caching::Fill)
            .expect("kept")
            .shares_memory_with(&wide)
    );
    file.fdata_mut::<c128>().expect("an edit")[[1, 1]] = c128::new(9.0, 9.0);
    let edited = file.get_fdata::<c128>(Caching::Unchanged).expect("kept");
    assert_eq!(edited.as_slice()[4], c128::new(9.0, 9.0));
    let real = file.dataobj().read::<f32>().expect("real parts");
    assert_eq!(real.as_slice()[4], 4.0);
    assert_eq!(
        file.dataobj()
            .slice::<c64>("[:, 1]")
            .expect("values")
            .as_slice(),
        &stored[3..]
    );
}

/// Never called: that it compiles is the test. What is here can be used and moved between threads.
#[expect(dead_code, reason = "that it compiles is the test")]
fn every_type_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<DataobjImage>();
    shared::<ArrayProxy>();
    shared::<ProxySpec>();
    shared::<StoredArray>();
    shared::<HostArray<c64>>();
    shared::<Error>();
    shared::<ErrorKind>();
    shared::<DType>();
    shared::<ByteOrder>();
    shared::<Index>();
    shared::<IndexItem>();
    shared::<Scaling>();
    shared::<voxload::scaling::Step>();
    shared::<voxload::scaling::Factor>();
    shared::<voxload::scaling::Arithmetic>();
    shared::<voxload::Header>();
    shared::<voxload::Layout>();
    shared::<voxload::Note>();
    shared::<voxload::Orientation>();
    shared::<voxload::AxisDirection>();
    shared::<voxload::LoadOptions>();
    shared::<voxload::Limits>();
    shared::<voxload::FileHolder>();
    shared::<voxload::FileMap>();
    shared::<voxload::Budget>();
    shared::<voxload::BudgetUsage>();
    shared::<SaveOptions>();
    shared::<voxload::Statistics>();
    shared::<voxload::StatisticsOptions>();
    shared::<voxload::Histogram>();
    shared::<voxload::TemporalAccumulator>();
    shared::<voxload::TemporalStatistics<f32>>();
    shared::<voxload::FrameOptions>();
    shared::<voxload::HostFrame<f32>>();
    shared::<voxload::format::Format>();
    shared::<voxload::format::Fields>();
    shared::<voxload::format::FormatInfo>();
    fn sent<T: Send>() {}
    sent::<voxload::Frames<f32>>();
    sent::<voxload::NiftiWriter>();
    #[cfg(feature = "gpu")]
    {
        shared::<voxload::Gpu>();
        shared::<voxload::AdapterDescription>();
        shared::<voxload::DeviceArray<c64>>();
        shared::<voxload::RawVolume>();
        shared::<voxload::ShaderNames>();
        shared::<voxload::BufferTarget<'_>>();
        shared::<voxload::StagingOptions>();
        shared::<voxload::StreamOptions>();
        shared::<voxload::StreamTarget>();
        shared::<voxload::Texture3d>();
        shared::<voxload::TextureOptions>();
        shared::<voxload::HostTexels>();
        shared::<voxload::Texels>();
        shared::<voxload::Fidelity>();
        shared::<voxload::Window>();
        shared::<voxload::Trace>();
        shared::<voxload::TracedLoad<f32>>();
        shared::<voxload::KernelReport>();
        shared::<voxload::KernelChoice>();
        sent::<voxload::Frame<f32>>();
        sent::<voxload::FrameStream<f32>>();
    }
}
