package IM::Tables;

# Rows of exported tables, one at a time: .jsonl with or without its header
# line, a JSON array, {"results": [...]}; each may be in a .tar.gz or .gz.

use strict;
use warnings;

use IM::JSON qw(decode_json);

my $CHUNK = 1 << 16;
my $CLASS = qr/(_?[A-Z][A-Za-z0-9_]*)/;


# [ class, name, command ] of every table that is found in the paths given, by
# default in DIR/tables.  CLASS=FILE names the class of a file.

sub files {
    my ($dir, $paths) = @_;
    my @paths = @{ $paths || [] } ? @$paths : -d "$dir/tables" ? "$dir/tables" : ();
    my @files;

    for my $path (@paths) {
        if ($path =~ /^$CLASS=(.+)/s && !-e $path) {
            -f $2 or die "$2: $!\n";
            push @files, [ $1, $2 ];
            next;
        }
        -e $path or die "$path: $!\n";
        for my $file (-d $path ? sort(glob("\Q$path\E/*")) : $path) {
            push @files, -d $file ? () : $file =~ /\.(?:tar\.gz|tgz)$/
                       ? archive($file) : [ class($file), $file ];
        }
    }

    return @files;
}


sub archive {
    my ($file) = @_;
    open my $fh, '-|', 'tar', '-tzf', $file or die "tar: $!\n";
    chomp(my @names = <$fh>);
    close $fh or die "$file is not a .tar.gz\n";
    return map { [ class($_), "$file: $_", 'tar', '-xzOf', $file, '--', $_ ] }
           grep { /\.jsonl?$/ } @names;
}


sub class {
    my ($file) = @_;
    return $file =~ m{(?:^|/)$CLASS(?:\.\d+)?\.jsonl?(?:\.gz)?$} ? $1 : undef;
}


# A function that returns the next row of the tables of a class, as
# (row, repaired).  With no class: of all, as (row, repaired, class).  A row
# that is not an object is undef.

sub rows {
    my ($files, $class) = @_;
    my @files = grep { !defined $class || !defined $_->[0] || $_->[0] eq $class } @$files;
    my ($next, $current);

    return sub {
        while (1) {
            if (!$next) {
                my $file = shift @files or return;
                ($current, $next) = reader($file);
                undef $next if defined $class && ($current // '') ne $class;
                next;
            }
            my ($raw) = $next->();
            if (!defined $raw) { undef $next; next }
            my ($row, $n) = eval { decode_json($raw) };
            return (ref $row eq 'HASH' ? $row : undef, $n // 0, $current);
        }
    };
}


# the class of a file, and a function that returns the bytes of its next row

sub reader {
    my ($file) = @_;
    my ($class, $name, @command) = @$file;
    my $fh;

    @command = ('gzip', '-dc', $name) if !@command && $name =~ /\.gz$/;
    @command ? open($fh, '-|', @command) : open($fh, '<', $name)
        or die "$name: $!\n";
    binmode $fh;

    # a byte order mark, header lines, the first row

    my $line = '';
    while (defined($line = readline $fh)) {
        $line =~ s/^\xef\xbb\xbf//;
        $class = $1 if $line =~ /^#.*"class"\s*:\s*"$CLASS"/;
        last if $line !~ /^\s*(?:#.*)?$/;
    }
    return ($class, sub { }) if !defined $line;

    if ($line =~ /^\s*\{.*\}\s*$/ && $line !~ /"results"\s*:\s*\[/) {
        return ($class, sub {
            while (defined $line) {
                my $raw = $line;
                $line = readline $fh;
                return $raw if $raw !~ /^\s*(?:#.*)?$/;
            }
            return;
        });
    }
    return ($class, elements($fh, $line));
}


# The elements of the first array in a text, as bytes.

sub elements {
    my ($fh, $text) = @_;
    my ($begun, $at, $depth, $ended) = (0, 0, 0, 0);

    my $more = sub {
        return read $fh, $text, $CHUNK, length $text;
    };

    return sub {
        return if $ended;

        while (!$begun) {
            if ($text =~ s/^\s*(?:\{[^\[]*?"results"\s*:\s*)?\[//s) { $begun = 1 }
            elsif (!$more->()) { $ended = 1; return $text =~ /\S/ ? $text : () }
        }

        while (1) {
            pos($text) = $at;
            while ($text =~ /\G(?:[^"{}\[\],]+|"(?:[^"\\]+|\\.)*+"|([{}\[\],]))/gcs) {
                my $c = $1;
                if (!defined $c || $c eq ',' && $depth) { $at = pos $text; next }
                if ($depth && ($c eq '}' || $c eq ']')) { $depth--; $at = pos $text; next }
                if ($c eq '{' || $c eq '[') { $depth++; $at = pos $text; next }

                # a comma between elements, or the end of the array

                my $raw = substr $text, 0, pos($text) - 1;
                $text = substr $text, pos $text;
                $at = 0;
                $ended = $c ne ',';
                return $raw if $raw =~ /\S/;
                return if $ended;
                pos($text) = 0;
            }
            if (!$more->()) {
                $ended = 1;
                return $text =~ /\S/ ? $text : ();   # cut off: not JSON
            }
        }
    };
}


1;
