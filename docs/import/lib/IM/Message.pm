package IM::Message;

# One stored message of LeanCloud as a type and a text of the API.
#
#     my $m = IM::Message->new(%options, files => $lookup);
#     my ($type, $msg, $lost, $kind) = $m->map($row);
#
# $type is undef where the row is skipped: $msg is then the reason.  $lost
# lists what had no place (caption, file_name ...), $kind says what the row was.
#
# Options: recalled (skip, empty, text), recalled_text, binary (skip, base64),
# locations (geo, text, raw, skip), media (url, raw), custom { type => msg_type },
# files (a function: id of a _File => its key), file_base, rewrite [ [ from, to ] ].

use strict;
use warnings;

use IM::JSON qw(decode_json encode_json clean);

my %MEDIA = (-2 => 1, -3 => 2, -4 => 3, -6 => 4);
my %KIND = (-1 => 'text', -2 => 'picture', -3 => 'voice', -4 => 'video',
            -5 => 'location', -6 => 'file', -127 => 'recalled');


sub new {
    my ($class, %o) = @_;
    return bless { recalled => 'skip', binary => 'skip', locations => 'geo',
                   media => 'url', custom => {}, rewrite => [],
                   files => sub { }, %o }, $class;
}


sub map {
    my ($self, $row) = @_;
    my ($data, @lost) = ($row->{data});

    if ($row->{bin}) {
        return (undef, 'binary', [], 'binary') if $self->{binary} eq 'skip';
        return $self->text($data, 'binary');
    }

    # typed: an object with an integer _lctype; anything else is plain text

    my $body = ref $data eq 'HASH' ? $data : undef;
    if (!ref $data && ($data // '') =~ /^\s*\{.*"_lctype"/s) {
        my $bytes = $data;
        utf8::encode($bytes);
        ($body) = eval { decode_json($bytes) };
    }
    my $type = ref $body eq 'HASH' && defined $body->{_lctype}
             ? encode_json($body->{_lctype}) : '';      # a string has quotes

    # what an object was as a text is not known: its members in order
    $data = encode_text($data) if ref $data;

    return $self->text($data, 'plain')
        if $type !~ /^-?\d+$/ || $type == 0;

    my $kind = $KIND{$type} // ($type > 0 ? 'custom' : 'unknown');
    my $text = ref $body->{_lctext} ? undef : $body->{_lctext};
    my $file = ref $body->{_lcfile} eq 'HASH' ? $body->{_lcfile} : undef;

    push @lost, 'attributes'
        if ref $body->{_lcattrs} ? %{ $body->{_lcattrs} } : length($body->{_lcattrs} // '');

    return $self->text($text, $kind, @lost) if $type == -1;
    return $self->recalled if $type == -127;
    return $self->location($body, $text, $data, @lost) if $type == -5;

    my $media = $MEDIA{$type} // ($file ? $self->{custom}{$type} : undef);
    if (defined $media) {
        return $self->typed($media, $self->text($data, $kind))
            if $self->{media} eq 'raw';
        return $self->media($media, $file, $text, $kind, @lost);
    }

    return $self->text($text, $kind, @lost) if length($text // '');
    return $self->text($data, $kind);
}


sub text {
    my ($self, $text, $kind, @lost) = @_;
    ($text, my $n) = clean($text // '');
    return (undef, 'empty', [], $kind) if !length $text;
    push @lost, 'repaired' if $n;
    return (0, $text, \@lost, $kind);
}


# the same with another type, unless it is skipped

sub typed {
    my ($self, $type, @mapped) = @_;
    $mapped[0] = $type if defined $mapped[0];
    return @mapped;
}


sub recalled {
    my ($self) = @_;
    my $how = $self->{recalled};
    return $how eq 'empty' ? (0, '', [], 'recalled')
         : $how eq 'text'  ? (0, $self->{recalled_text}, [], 'recalled')
         :                   (undef, 'recalled', [], 'recalled');
}


# readable, and a URI of RFC 5870 for programs: latitude first

sub location {
    my ($self, $body, $text, $data, @lost) = @_;
    my $how = $self->{locations};
    my $loc = ref $body->{_lcloc} eq 'HASH' ? $body->{_lcloc} : {};
    my ($lat, $lon) = @$loc{qw(latitude longitude)};
    my $number = qr/^-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
    my $geo = ($lat // '') =~ $number && ($lon // '') =~ $number
            ? 'geo:' . decimal($lat) . ',' . decimal($lon) : undef;

    return (undef, 'location', [], 'location') if $how eq 'skip';
    return $self->text($data, 'location') if $how eq 'raw';
    push @lost, 'coordinates' if $how eq 'text' && $geo;
    $geo = undef if $how eq 'text';
    return $self->text(join("\n", grep { length($_ // '') } $text, $geo),
                       'location', @lost);
}


sub decimal {
    my ($n) = @_;
    return $n =~ /[eE]/ ? sprintf('%.10f', $n) =~ s/\.?0+$//r : $n;
}


sub media {
    my ($self, $type, $file, $text, $kind, @lost) = @_;
    my ($url, $kept) = $self->url($file);

    # a text is worth more than nothing

    if (!defined $url) {
        return $self->text($text, $kind, 'file', @lost) if length($text // '');
        return (undef, 'no_url', [], $kind);
    }

    my $meta = ref $file->{metaData} eq 'HASH' ? $file->{metaData} : {};
    push @lost, 'caption' if length($text // '');
    push @lost, 'file_name' if length($meta->{name} // $file->{name} // '');
    push @lost, 'duration' if defined $meta->{duration};
    push @lost, 'url_kept' if $kept;

    return $self->typed($type, $self->text($url, $kind, @lost));
}


# The URL of a file: by its id where a new address is given, else as it was
# sent, with its beginning replaced.  The second value says that the old one was
# kept although others are rewritten.

sub url {
    my ($self, $file) = @_;
    return if !$file;
    my ($url, $id) = @$file{qw(url objId)};
    $url = undef if ref $url || !length($url // '');

    if (defined $self->{file_base} && defined $id && !ref $id) {
        my $key = $self->{files}->($id);
        return ($self->{file_base} . $key, 0) if length($key // '');
    }
    return if !defined $url;

    for (@{ $self->{rewrite} }) {
        my ($from, $to) = @$_;
        return ($to . substr($url, length $from), 0) if index($url, $from) == 0;
    }
    return ($url, defined $self->{file_base} || @{ $self->{rewrite} } ? 1 : 0);
}


sub encode_text {
    my $json = encode_json($_[0]);
    utf8::decode($json);
    return $json;
}


1;
